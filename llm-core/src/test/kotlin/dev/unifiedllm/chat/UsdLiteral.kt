package dev.unifiedllm.chat

/** As the DSL's: `0.05.usd`. */
internal val Number.usd: Usd get() = Usd.of(toString())
