package dev.unifiedllm.transport.framing

import kotlin.random.Random

/** Feeds a body in pieces. The array of each piece is overwritten as soon as the decoder needs more bytes. */
internal fun <D : FrameDecoder, T> D.run(pieces: List<ByteArray>, read: D.(Frame) -> T): List<T> = buildList {
    for (piece in pieces) {
        val fed = ByteArray(piece.size + 7) { '\n'.code.toByte() }
        piece.copyInto(fed, 3)
        feed(fed, 3, 3 + piece.size)
        while (true) add(read(next() ?: break))
        fed.fill('!'.code.toByte())
    }
    while (true) add(read(finish() ?: break))
}

internal fun ByteArray.cutAt(vararg cuts: Int): List<ByteArray> =
    (listOf(0) + cuts.sorted() + listOf(size)).zipWithNext { from, to -> copyOfRange(from, to) }

internal fun ByteArray.bytewise(): List<ByteArray> = map { byteArrayOf(it) }

/** Ways in which a body can arrive: whole, byte by byte, in two pieces, with an empty piece, in three pieces. Seeded. */
internal fun ByteArray.arrivals(): Sequence<List<ByteArray>> {
    val random = Random(size)
    val offsets = if (size <= 4096) (0..size).toList() else List(200) { random.nextInt(size + 1) }
    return sequenceOf(cutAt(), bytewise()) +
        offsets.asSequence().map { cutAt(it) } +
        offsets.asSequence().map { cutAt(it, it) } +
        generateSequence { cutAt(random.nextInt(size + 1), random.nextInt(size + 1)) }.take(50)
}
