package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.CallRules
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceFile
import java.nio.file.Path
import java.time.LocalDate
import java.util.function.Consumer

/** The settings of a client that say what models cost. */
@LlmDsl
public abstract class PriceSettings<B : PriceSettings<B>> @InternalLlmApi constructor(context: CallContext?) : CallRules<B>(context) {
    @get:JvmSynthetic
    internal val prices: MutableMap<ModelId, Price> = linkedMapOf()

    @get:JvmSynthetic
    internal val priceFiles: MutableList<PriceFile> = mutableListOf()

    @get:JvmSynthetic
    internal val aliases: MutableMap<String, String> = linkedMapOf()

    @get:JvmSynthetic
    internal val routes: RouteBuilder = RouteBuilder()

    /** The most output tokens of the calls to models that say nothing about it, by the models' names. */
    @get:JvmSynthetic
    internal val maxTokens: MutableMap<ModelId, Int> = linkedMapOf()

    /** The price of [model]. It replaces that of the catalogue. @throws IllegalArgumentException if a required rate is missing or a rate is negative */
    @JvmSynthetic
    public fun price(model: String, block: Price.Builder.() -> Unit): B =
        self.apply { prices[ModelId.parse(model)] = Price.Builder().apply(block).build("user") }

    public fun price(model: String, block: Consumer<Price.Builder>): B = price(model) { block.accept(this) }

    /**
     * Adds the prices in [file], which replace those of the catalogue; of two files the last one counts, and [price] counts before files. The file is a JSON
     * object with a model a member, each in one of three forms:
     *
     *     {
     *       "my-vllm/llama": {"inputPerMillion": 0.10, "outputPerMillion": 0.20, "source": "our contract", "checked": "2026-11-01"},
     *       "gpt-4-turbo": {"provider": "openai", "cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.03},
     *       "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}
     *     }
     *
     * - US dollars per million tokens, by the names of [Price.Builder]; also `cacheReadPerMillion`, `cacheWritePerMillion`, `perWebSearch`, `perImage`.
     * - US dollars per thousand tokens.
     * - A row of LiteLLM's `model_prices_and_context_window.json`, with its service tiers, lengths, fees and places; the whole file can be given, too.
     *
     * Costs name `source`, else the name of the file, and the day of `checked`, else that on which the file was read.
     *
     * @throws LlmException.Configuration if it cannot be read, or a row is wrong: a price that is negative or no number, an unknown member
     */
    public fun prices(file: Path): B = self.apply { priceFiles += PriceFile.read(file, LocalDate.now()) }

    /**
     * Makes [name] the name of a model of [ModelBuilder.provider], with its price, the limit of its output and its task. Without a provider, [name] is that of
     * a model, which may be "provider/model".
     *
     * @throws IllegalArgumentException if [name] is no model's name, only one of the two prices is set, or a price is negative
     */
    @JvmSynthetic
    public fun model(name: String, block: ModelBuilder.() -> Unit): B = self.apply {
        val settings = ModelBuilder().apply(block)
        val id = settings.id(name)
        if (id.toString() != name) aliases[name] = id.toString()
        settings.price()?.let { prices[id] = it }
        settings.maxTokens?.let { maxTokens[id] = it }
        settings.taskType?.let { routes.tasks.putIfAbsent(it, id) }
    }

    public fun model(name: String, block: Consumer<ModelBuilder>): B = model(name) { block.accept(this) }
}
