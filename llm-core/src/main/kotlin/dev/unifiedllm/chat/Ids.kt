package dev.unifiedllm.chat

import java.security.SecureRandom
import java.util.UUID
import java.util.concurrent.atomic.AtomicLong

/** Makes ids that no other process has either: random bits of the process, and a count. They are no secret, and look like random UUIDs. */
internal object Ids {
    private val high: Long
    private val low: Long
    private val count = AtomicLong()

    init {
        val random = SecureRandom()
        high = random.nextLong()
        low = random.nextLong()
    }

    /** A new id. Costs no random numbers of the system, as [UUID.randomUUID] does. */
    fun next(): String {
        val number = count.incrementAndGet()
        return UUID(high and VERSION_MASK or VERSION, (low xor number) and VARIANT_MASK or VARIANT).toString()
    }

    // the bits that say that a UUID is random
    private const val VERSION_MASK = -0xF001L
    private const val VERSION = 0x4000L
    private const val VARIANT_MASK = 0x3FFFFFFFFFFFFFFFL
    private const val VARIANT = Long.MIN_VALUE
}
