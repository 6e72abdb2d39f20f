package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.Price
import java.math.BigDecimal

/**
 * A model with its price, as `ModelConfig` of other tools. Prices are in US dollars per thousand tokens; both are set, or none. A price as [BigDecimal], number
 * or text is exact: `costPer1kInput(0.01)` is one cent.
 */
@LlmDsl
public class ModelBuilder @InternalLlmApi constructor() {
    /** The provider that serves the model, as in `openai`; null: the model's name says it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var provider: String? = null

    /** US dollars per thousand input tokens; null: as the catalogue says. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var costPer1kInput: Usd? = null

    /** US dollars per thousand output tokens; null: as the catalogue says. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var costPer1kOutput: Usd? = null

    /**
     * The most output tokens of the calls to the model that set no `maxTokens`; null: no limit.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxTokens: Int? = null
        set(value) {
            require(value == null || value > 0) { "maxTokens must be positive, was $value" }
            field = value
        }

    /** Calls with this `task` and without a model go to this model, unless `route` or an earlier model has the task. Null: none do. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var taskType: String? = null
        set(value) {
            require(value == null || value.isNotBlank()) { "taskType must not be blank" }
            field = value
        }

    public fun provider(name: String): ModelBuilder = apply { provider = name }

    public fun costPer1kInput(price: Usd): ModelBuilder = apply { costPer1kInput = price }

    public fun costPer1kInput(price: BigDecimal): ModelBuilder = costPer1kInput(Usd.of(price))

    public fun costPer1kInput(price: Double): ModelBuilder = costPer1kInput(BigDecimal.valueOf(price))

    public fun costPer1kInput(price: String): ModelBuilder = costPer1kInput(Usd.of(price))

    public fun costPer1kOutput(price: Usd): ModelBuilder = apply { costPer1kOutput = price }

    public fun costPer1kOutput(price: BigDecimal): ModelBuilder = costPer1kOutput(Usd.of(price))

    public fun costPer1kOutput(price: Double): ModelBuilder = costPer1kOutput(BigDecimal.valueOf(price))

    public fun costPer1kOutput(price: String): ModelBuilder = costPer1kOutput(Usd.of(price))

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxTokens(count: Int): ModelBuilder = apply { maxTokens = count }

    /** @throws IllegalArgumentException if it is blank */
    public fun taskType(name: String): ModelBuilder = apply { taskType = name }

    /** The model called [name], at [provider] if that is set. */
    @JvmSynthetic
    internal fun id(name: String): ModelId {
        val owner = provider?.also { require(it.isNotBlank()) { "the provider of the model \"$name\" is blank" } } ?: return ModelId.parse(name)
        return ModelId.parse("$owner/${name.removePrefix("$owner/")}")
    }

    /** Null if none is set. */
    @JvmSynthetic
    internal fun price(): Price? {
        val input = costPer1kInput
        val output = costPer1kOutput
        if (input == null && output == null) return null
        require(input != null && output != null) {
            "a model needs costPer1kInput and costPer1kOutput, or none of them: set the other one, to zero if it is free"
        }
        return Price.Builder().inputPerMillion(input * THOUSAND).outputPerMillion(output * THOUSAND).build("user")
    }

    private companion object {
        const val THOUSAND = 1_000L
    }
}
