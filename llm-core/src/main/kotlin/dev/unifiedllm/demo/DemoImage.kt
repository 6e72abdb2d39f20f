package dev.unifiedllm.demo

import java.io.ByteArrayOutputStream
import java.io.DataOutputStream
import java.nio.ByteBuffer
import java.util.zip.CRC32
import java.util.zip.DeflaterOutputStream
import kotlin.math.hypot
import kotlin.math.sin

/** Draws a landscape as a PNG: the same [prompt] and [seed] give the same one. @param detail from 0 to 1: how fine it is, for previews */
internal fun demoImage(prompt: String, seed: Long, width: Int, height: Int, detail: Double = 1.0): ByteArray {
    val hash = prompt.hashCode() * 31 + seed.hashCode()
    val palette = PALETTES[hash.mod(PALETTES.size)]
    val sunX = 0.2 + (hash / PALETTES.size).mod(61) / 100.0
    val grain = 1.0 / (height * detail.coerceIn(0.02, 1.0))
    return png(width, height) { column, row ->
        val ratio = width.toDouble() / height
        val x = column.toDouble() / height - (column.toDouble() / height).mod(grain)
        val y = row.toDouble() / height - (row.toDouble() / height).mod(grain)
        when {
            y > 0.78 + 0.05 * sin(4 * x + hash.mod(7)) -> palette.near
            y > 0.62 + 0.08 * sin(5 * x + hash.mod(5)) -> palette.far
            hypot(x - sunX * ratio, y - 0.35) < SUN -> palette.sun
            else -> between(palette.top, palette.bottom, y)
        }
    }
}

private class Palette(val top: Int, val bottom: Int, val sun: Int, val far: Int, val near: Int)

private val PALETTES = listOf(
    Palette(0x4A90D9, 0xD6ECFA, 0xFFE08A, 0x6FA287, 0x3E6B57),
    Palette(0x3B2667, 0xF7A072, 0xFFF1C1, 0x6D4C7D, 0x33254A),
    Palette(0x0F2A4A, 0x5B8DB8, 0xF2F5F7, 0x33506B, 0x1A2E42),
    Palette(0xF3C98B, 0xFCEBD2, 0xE4572E, 0xB5855A, 0x7A5236),
)
private const val SUN = 0.12

private fun between(one: Int, two: Int, share: Double): Int = listOf(16, 8, 0).fold(0) { color, shift ->
    val from = one shr shift and 0xFF
    color or ((from + ((two shr shift and 0xFF) - from) * share).toInt() shl shift)
}

/** A PNG of 24-bit colors: https://www.w3.org/TR/png-3/ */
private fun png(width: Int, height: Int, color: (column: Int, row: Int) -> Int): ByteArray {
    val rows = ByteArrayOutputStream()
    DeflaterOutputStream(rows).use { out ->
        val line = ByteArray(1 + width * 3) // begins with the filter type: none
        for (row in 0 until height) {
            for (column in 0 until width) {
                val rgb = color(column, row)
                for (channel in 0..2) line[1 + column * 3 + channel] = (rgb shr (16 - 8 * channel)).toByte()
            }
            out.write(line)
        }
    }
    val header = ByteBuffer.allocate(13).putInt(width).putInt(height).put(byteArrayOf(8, 2, 0, 0, 0)).array()
    val file = ByteArrayOutputStream()
    DataOutputStream(file).use { out ->
        out.writeLong(SIGNATURE)
        out.chunk("IHDR", header)
        out.chunk("IDAT", rows.toByteArray())
        out.chunk("IEND", ByteArray(0))
    }
    return file.toByteArray()
}

private fun DataOutputStream.chunk(type: String, data: ByteArray) {
    val name = type.encodeToByteArray()
    val sum = CRC32().apply {
        update(name)
        update(data)
    }
    writeInt(data.size)
    write(name)
    write(data)
    writeInt(sum.value.toInt())
}

private const val SIGNATURE: Long = -0x76AFB1B8F2F5E5F6L // 89 'PNG' CR LF 1A LF
