package dev.unifiedllm

/**
 * Hides an internal constructor from Java: Kotlin compiles a constructor with a value class among its parameters to a synthetic one, which Java's compiler and
 * completion do not see.
 */
@JvmInline
internal value class FromKotlin private constructor(private val unused: Boolean) {
    companion object {
        val CALL: FromKotlin = FromKotlin(true)
    }
}
