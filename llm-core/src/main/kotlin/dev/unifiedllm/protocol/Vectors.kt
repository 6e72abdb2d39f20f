package dev.unifiedllm.protocol

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.provider.Target
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64

/**
 * Reads the next value as vector number [position]: a list of numbers, or little-endian floats in base64. Null if it has no numbers.
 *
 * @param areBytes true if base64 holds signed bytes, one for each number
 * @throws dev.unifiedllm.LlmException.MalformedResponse if it holds something else
 */
internal fun JsonCursor.vector(target: Target, position: Int, areBytes: Boolean = false): FloatArray? {
    if (kind() != JsonKind.STRING) {
        val numbers = floats()
        if (numbers.any { !it.isFinite() }) throw malformed(target, "vector $position has elements that are not numbers")
        return numbers.takeIf { it.isNotEmpty() }
    }
    val bytes = try {
        Base64.getDecoder().decode(string())
    } catch (wrong: IllegalArgumentException) {
        throw malformed(target, "vector $position is not base64", wrong)
    }
    val numbers = if (areBytes) FloatArray(bytes.size) { bytes[it].toFloat() } else bytes.littleEndianFloats()
    if (numbers == null) throw malformed(target, "vector $position has ${bytes.size} bytes, which is not a whole number of floats")
    if (numbers.any { !it.isFinite() }) throw malformed(target, "vector $position has elements that are not numbers")
    return numbers.takeIf { it.isNotEmpty() }
}

/** Reads the next value as a list of numbers. An element that is not a number is NaN; a value that is not a list gives an empty array. */
internal fun JsonCursor.floats(): FloatArray {
    if (!enterArray()) return FloatArray(0)
    var numbers = FloatArray(INITIAL_SIZE)
    var size = 0
    while (nextElement()) {
        if (size == numbers.size) numbers = numbers.copyOf(size * 2)
        numbers[size++] = decimalOrNull()?.toFloat() ?: Float.NaN
    }
    return numbers.copyOf(size)
}

/** The floats in these bytes, four little-endian bytes each; null if the size is not a multiple of four. */
internal fun ByteArray.littleEndianFloats(): FloatArray? {
    if (size % Float.SIZE_BYTES != 0) return null
    val floats = ByteBuffer.wrap(this).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(floats.remaining()).also(floats::get)
}

private const val INITIAL_SIZE = 1024
