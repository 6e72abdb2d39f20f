package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlin.time.Duration
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * How one call uses the cache of its client. A call that has a policy is cached at every temperature, unless the policy says otherwise.
 *
 * @see RequestBuilder.cache
 */
public class CachePolicy private constructor(builder: Builder) {
    /** True: a cached response is not taken. The new one replaces it, unless [noStore] is set. */
    @get:JvmName("noCache")
    public val noCache: Boolean = builder.noCache

    /** True: the response is not stored. */
    @get:JvmName("noStore")
    public val noStore: Boolean = builder.noStore

    /** How old a cached response may be, and how long this one is kept; null: as the client says. */
    @get:JvmSynthetic
    public val ttl: Duration? = builder.ttl

    /** Responses of other namespaces are not taken; null: that of the client. */
    @get:JvmName("namespace")
    public val namespace: String? = builder.namespace

    public fun ttl(): java.time.Duration? = ttl?.toJavaDuration()

    private fun all() = listOf(noCache, noStore, ttl, namespace)

    override fun equals(other: Any?): Boolean = other is CachePolicy && all() == other.all()

    override fun hashCode(): Int = all().hashCode()

    override fun toString(): String = "CachePolicy(noCache=$noCache, noStore=$noStore, ttl=$ttl, namespace=$namespace)"

    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: CachePolicy?) {
        /** True: a cached response is not taken. The new one replaces it, unless [noStore] is set. */
        @get:JvmSynthetic @set:JvmSynthetic
        public var noCache: Boolean = from?.noCache ?: false

        /** True: the response is not stored. */
        @get:JvmSynthetic @set:JvmSynthetic
        public var noStore: Boolean = from?.noStore ?: false

        /** How old a cached response may be, and how long this one is kept; null: as the client says. @throws IllegalArgumentException if it is not positive */
        @get:JvmSynthetic @set:JvmSynthetic
        public var ttl: Duration? = from?.ttl
            set(value) {
                requireTtl(value)
                field = value
            }

        /** Responses of other namespaces are not taken; null: that of the client. */
        @get:JvmSynthetic @set:JvmSynthetic
        public var namespace: String? = from?.namespace

        public fun noCache(noCache: Boolean): Builder = apply { this.noCache = noCache }

        public fun noStore(noStore: Boolean): Builder = apply { this.noStore = noStore }

        /** @throws IllegalArgumentException if it is not positive */
        public fun ttl(ttl: java.time.Duration?): Builder = apply { this.ttl = ttl?.toKotlinDuration() }

        public fun namespace(namespace: String?): Builder = apply { this.namespace = namespace }

        @JvmSynthetic
        internal fun build(): CachePolicy = CachePolicy(this)
    }
}

/** @throws IllegalArgumentException if [ttl] is not positive */
internal fun requireTtl(ttl: Duration?): Unit = require(ttl == null || ttl.isPositive()) { "the ttl of a cached response must be positive, was $ttl" }
