@file:JvmName("Similarity")

package dev.unifiedllm.chat

import kotlin.math.sqrt

/**
 * The cosine of the angle between two vectors: 1 for the same direction, 0 for none in common, -1 for opposite ones. NaN if a vector has no direction,
 * because all its numbers are zero. For Java: `Similarity.cosineSimilarity(a, b)`.
 *
 * @throws IllegalArgumentException if the lengths differ: then the vectors are of two models, or of two settings of one
 */
public fun FloatArray.cosineSimilarity(other: FloatArray): Double {
    require(size == other.size) { "vectors of $size and ${other.size} numbers cannot be compared: embed both texts by the same model and dimensions" }
    var product = 0.0
    var length = 0.0
    var otherLength = 0.0
    for (index in indices) {
        val one = this[index].toDouble()
        val two = other[index].toDouble()
        product += one * two
        length += one * one
        otherLength += two * two
    }
    return (product / (sqrt(length) * sqrt(otherLength))).let { if (it.isNaN()) it else it.coerceIn(-1.0, 1.0) }
}
