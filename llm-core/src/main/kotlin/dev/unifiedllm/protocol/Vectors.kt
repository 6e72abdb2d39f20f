package dev.unifiedllm.protocol

import dev.unifiedllm.protocol.json.JsonCursor
import java.nio.ByteBuffer
import java.nio.ByteOrder

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
