package dev.unifiedllm.demo

import java.util.SplittableRandom

/**
 * The sum of a vector for each word of [text], which has a random direction: texts that share words have similar vectors. What the words mean does not count.
 *
 * A text without words has no direction: all its numbers are zero.
 */
internal fun demoVector(text: String, dimensions: Int): FloatArray {
    val vector = FloatArray(dimensions)
    for (word in WORDS.findAll(text.lowercase())) {
        val random = SplittableRandom(word.value.hashCode().toLong())
        for (index in vector.indices) vector[index] += if (random.nextBoolean()) 1f else -1f
    }
    return vector
}

internal const val DEMO_DIMENSIONS: Int = 256
