package dev.unifiedllm.protocol

import dev.unifiedllm.protocol.json.JsonCursor
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The list of numbers that comes next; what is no number is NaN, and what is no list has none. */
internal fun JsonCursor.floats(): FloatArray {
    if (!enterArray()) return FloatArray(0)
    var numbers = FloatArray(FIRST_SIZE)
    var size = 0
    while (nextElement()) {
        if (size == numbers.size) numbers = numbers.copyOf(size * 2)
        numbers[size++] = decimalOrNull()?.toFloat() ?: Float.NaN
    }
    return numbers.copyOf(size)
}

/** The floats that stand here four bytes each, the lowest first; null if bytes are left over. */
internal fun ByteArray.littleEndianFloats(): FloatArray? {
    if (size % Float.SIZE_BYTES != 0) return null
    val floats = ByteBuffer.wrap(this).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(floats.remaining()).also(floats::get)
}

private const val FIRST_SIZE = 1024
