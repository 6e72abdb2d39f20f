package dev.unifiedllm.provider

/**
 * True if this model may write its reasoning into the text, between tags.
 *
 * That is so for the families that do, and for every model on a server that users run: its models have the names that its user gave them, and whether it
 * separates the reasoning depends on how it was started. It is never so on wires that always separate it.
 */
internal val Target.mayWriteThinkTags: Boolean
    get() = wire.writesThinkTags && (isRunByUser || FAMILIES.containsMatchIn(name))

/**
 * The open models that reason between tags, by the chat templates of their makers (huggingface.co, `tokenizer_config.json` of each), and Perplexity's hosted
 * ones (docs.perplexity.ai/faq/faq).
 */
private val FAMILIES = Regex(
    "deepseek-?r1|r1-(distill|1776)|qwq|qwen-?3|magistral|minimax-m|glm-(4\\.[1-9]|z1|5)|nemotron|phi-4(-mini)?-reasoning|exaone|smollm3|seed-oss" +
        "|sonar-reasoning|hermes-4|hunyuan|mimo|olmo-3|openthinker|cogito|granite-?(3\\.[23]|4)|kimi-k2-thinking|ernie|ring-|apriel",
    RegexOption.IGNORE_CASE,
)
