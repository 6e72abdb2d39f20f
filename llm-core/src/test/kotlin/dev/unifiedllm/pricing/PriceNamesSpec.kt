package dev.unifiedllm.pricing

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import java.time.Instant

/** A model as users write it. @property input dollars per million tokens, as [output]; null if it has no price. @property reported its name in the response */
private class Name(
    val model: String,
    val input: String?,
    val output: String?,
    val reported: String? = null,
    val region: String? = null,
) {
    override fun toString(): String = listOfNotNull(model, region?.let { "in $it" }, reported?.let { "which responds as $it" }).joinToString(", ")
}

/** The target of [model], with all keys set, in [region]. */
private fun target(model: String, region: String? = null): Target {
    val set = mapOf("AWS_REGION" to (region ?: "us-east-1"), "VERTEXAI_LOCATION" to (region ?: "us-central1"), "VERTEXAI_PROJECT" to "p") +
        mapOf("AZURE_API_BASE" to "https://r.openai.azure.com", "AZURE_AI_API_BASE" to "https://r.services.ai.azure.com")
    val environment = Environment { name -> set[name] ?: "key".takeIf { name.endsWith("_API_KEY") } }
    return TargetResolver(ProviderRegistry.packed, Protocols, environment, emptyMap()).resolve(ModelId.parse(model))
}

private fun price(name: Name): Price? = target(name.model, name.region).let { PriceCatalog.packed.find(it.id, name.reported, it.region) }

/** The modes of the table that the library has. */
private val MODES = setOf("chat", "responses", "embedding", "image_generation")

/** Rows that are found by no name, with the reason. */
private val unreachable: List<Pair<String, (PriceRow) -> Boolean>> = listOf(
    "a row with the provider in front has the same name and comes first" to
        { row -> row.provider.removeSuffix("_converse").substringBefore('-') + "/" + row.id in ids },
)

private val ids = PriceCatalog.packed.rows.mapTo(HashSet()) { it.id }

class PriceNamesSpec : FunSpec({
    context("the price of a model as users write it") {
        withData<Name>(
            { it.toString() },
            // Amazon Bedrock
            Name("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "3", "15"),
            Name("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5"),
            Name("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5"),
            Name("bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3", "15"),
            Name("bedrock/jp.anthropic.claude-haiku-4-5-20251001-v1:0", "1.1", "5.5"),
            Name("bedrock/apac.amazon.nova-lite-v1:0", "0.063", "0.252"),
            Name("amazon-bedrock/amazon.nova-lite-v1:0", "0.06", "0.24"),
            Name("bedrock/converse/us.amazon.nova-pro-v1:0", "0.8", "3.2"),
            Name("bedrock/invoke/anthropic.claude-3-5-sonnet-20240620-v1:0", "3", "15"),
            Name("bedrock_converse/amazon.nova-micro-v1:0", "0.035", "0.14"),
            Name("bedrock/amazon.nova-lite-v1:0:300k", "0.06", "0.24"),
            Name("bedrock/amazon.nova-lite-v1", "0.06", "0.24"),
            Name("bedrock/us.deepseek.r1-v1:0", "1.35", "5.4"),
            Name("bedrock/us.meta.llama3-3-70b-instruct-v1:0", "0.72", "0.72"),
            Name("bedrock/meta.llama3-70b-instruct-v1:0", "2.65", "3.5", region = "eu-north-1"),
            Name("bedrock/meta.llama3-70b-instruct-v1:0", "3.45", "4.55", region = "eu-west-2"),
            Name("bedrock/ap-south-1/deepseek.v3.2", "0.74", "2.22"),
            Name("bedrock/openai.gpt-oss-120b-1:0", "0.15", "0.6"),
            Name("bedrock/us-gov-west-1/anthropic.claude-sonnet-4-5-20250929-v1:0", "3.6", "18"),
            Name("bedrock/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.6", "18", region = "us-gov-west-1"),
            Name("bedrock/us-gov-west-1/qwen.qwen3-32b-v1:0", null, null),
            Name("bedrock/arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "0.8", "3.2"),
            Name("bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0", "5.5", "27.5"),
            Name("bedrock/arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.6", "18"),
            Name("bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6", null, null),
            Name("bedrock/arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3d4e5f6", null, null),
            Name("bedrock/ca.amazon.nova-lite-v1:0", null, null),
            Name("bedrock/eu.amazon.nova-premier-v1:0", null, null),
            Name("bedrock_mantle/openai.gpt-oss-20b", "0.07", "0.3"),
            // Vertex AI
            Name("vertex_ai/gemini-2.5-flash", "0.3", "2.5"),
            Name("google-vertex/gemini-2.5-pro", "1.25", "10"),
            Name("vertex_ai_beta/gemini-2.5-flash-lite", "0.1", "0.4"),
            Name("vertex_ai/google/gemini-2.5-flash", "0.3", "2.5"),
            Name("vertex_ai/publishers/google/models/gemini-2.5-pro", "1.25", "10"),
            Name("vertex_ai/gemini-2.0-flash-001", "0.15", "0.6"),
            Name("vertex_ai/gemini-3.5-flash", "1.5", "9", region = "global"),
            Name("vertex_ai/gemini-3.5-flash", "1.65", "9.9", region = "us-central1"),
            Name("vertex_ai/claude-sonnet-4-5@20250929", "3", "15", reported = "claude-sonnet-4-5-20250929", region = "global"),
            Name("vertex_ai/claude-haiku-4-5", "1.1", "5.5", reported = "claude-haiku-4-5-20251001", region = "europe-west1"),
            Name("vertex_ai/claude-opus-4-5@20251101", "5.5", "27.5", region = "us-east5"),
            Name("vertex_ai/meta/llama-3.3-70b-instruct-maas", "0.72", "0.72"),
            Name("vertex_ai/deepseek-ai/deepseek-v3.2-maas", "0.56", "1.68"),
            Name("vertex_ai/gemini-9-flash", null, null),
            Name("vertex_ai/projects/p/locations/l/endpoints/1234567890", null, null),
            // Gemini
            Name("gemini/gemini-2.5-flash", "0.3", "2.5", reported = "gemini-2.5-flash"),
            Name("google/gemini-2.5-pro", "1.25", "10"),
            Name("gemini/models/gemini-2.5-flash-lite", "0.1", "0.4"),
            Name("gemini/gemini-flash-latest", "0.75", "3.75", reported = "gemini-3.8-flash"),
            Name("gemini/gemini-3.1-pro-preview-customtools", "2", "12", reported = "gemini-3.1-pro-preview"),
            Name("gemini/tunedModels/my-model-abc123", null, null),
            Name("gemini/gemini-embedding-001", "0.15", "0"),
            // OpenAI
            Name("openai/gpt-4o", "5", "15", reported = "gpt-4o-2024-05-13"),
            Name("openai/gpt-4o-2024-05-13", "5", "15", reported = "gpt-4o"),
            Name("openai/gpt-5-mini", "0.25", "2", reported = "gpt-5-mini-2025-08-07"),
            Name("openai/gpt-5-mini", "0.25", "2", reported = "gpt-5-mini-2099-01-01"),
            Name("openai/gpt-5-mini-2099-01-01", null, null),
            Name("openai/responses/gpt-5.2", "1.75", "14"),
            Name("openai/ft:gpt-4o-mini-2024-07-18:my-org:bot:AbC123", "0.3", "1.2", reported = "ft:gpt-4o-mini-2024-07-18:my-org:bot:AbC123"),
            Name("openai/ft:gpt-4.1-2025-04-14:org::x1", "3", "12"),
            Name("openai/ft:gpt-9:org::x1", null, null),
            Name("openai/text-embedding-3-small", "0.02", "0"),
            Name("openai/claude-sonnet-4-5", null, null),
            // Azure
            Name("azure/my-deployment", "0.15", "0.6", reported = "gpt-4o-mini-2024-07-18"),
            Name("azure/gpt-4o", "2", "8", reported = "gpt-4.1-2025-04-14"),
            Name("azure/gpt-4o", "2.5", "10"),
            Name("azure/gpt-4o", "2.5", "10", reported = "gpt-4o-2099-01-01"),
            Name("azure/gpt-4o", null, null, reported = "gpt-9-2099-01-01"),
            Name("azure/gpt-4o-mini", null, null, reported = "gpt-4o-mini-2024-07-18.ft-0e208cf33a6a466994aff31a08aba678"),
            Name("azure/my-deployment", null, null),
            Name("azure/gpt-3.5-turbo", "0.5", "1.5"),
            Name("azure/my-grok", "3", "15", reported = "grok-4"),
            Name("azure_ai/claude-opus-5-5-fast", "8", "40", reported = "claude-opus-5-5"),
            // OpenRouter, DeepSeek and others
            Name("openrouter/anthropic/claude-sonnet-4.5", null, null, reported = "anthropic/claude-sonnet-4.5"),
            Name("openrouter/openai/gpt-4o", null, null, reported = "gpt-4o"),
            Name("deepseek/deepseek-chat", "0.28", "0.42"),
            Name("deepseek/deepseek-reasoner", "0.28", "0.42", reported = "deepseek-reasoner"),
            Name("groq/openai/gpt-oss-120b", "0.15", "0.6"),
            Name("groq/claude-sonnet-4-5", null, null, reported = "claude-sonnet-4-5"),
            Name("mistral/mistral-large-latest", "0.5", "1.5"),
            Name("xai/grok-4.3", "1.25", "2.5", reported = "grok-4.3"),
            Name("anthropic/claude-sonnet-4-5", "3", "15", reported = "claude-sonnet-4-5-20250929"),
            Name("anthropic/claude-opus-4-8", "5", "25", reported = "claude"),
            Name("fireworks_ai/accounts/fireworks/routers/glm-5p2-fast", "2.1", "6.6", reported = "accounts/fireworks/models/glm-5p2"),
        ) { name ->
            val price = price(name)
            price?.inputPerMillion shouldBe name.input?.let(Usd::of)
            price?.outputPerMillion shouldBe name.output?.let(Usd::of)
        }
    }

    test("a price that depends on the hour is that of the hour in which the model responded") {
        fun price(time: String) = PriceCatalog.packed.find(ModelId("deepseek", "deepseek-flash"), time = Instant.parse(time))!!
        for (peak in listOf("2026-11-25T01:00:00Z", "2026-11-25T03:59:59Z", "2026-11-25T06:00:00Z", "2026-11-25T09:59:59Z")) {
            price(peak).inputPerMillion shouldBe Usd.of("0.3")
            price(peak).outputPerMillion shouldBe Usd.of("1.2")
        }
        for (quiet in listOf("2026-11-25T00:59:59Z", "2026-11-25T04:00:00Z", "2026-11-25T10:00:00Z", "2026-11-25T23:59:59Z", "2026-11-28T02:00:00Z")) {
            price(quiet).inputPerMillion shouldBe Usd.of("0.15")
            price(quiet).outputPerMillion shouldBe Usd.of("0.6")
            price(quiet).cacheReadPerMillion shouldBe Usd.of("0.003")
        }
    }

    test("a price that depends on the region is unknown without it") {
        val model = ModelId("vertex_ai", "claude-haiku-4-5")
        PriceCatalog.packed.find(model) shouldBe null
        PriceCatalog.packed.find(model, region = "global")!!.inputPerMillion shouldBe Usd.of("1")
    }

    test("every row of a provider that is served is found by a name, or has a reason") {
        val served = ProviderRegistry.packed.rows.map { it.id }.filterNot { '/' in it }
        var found = 0
        val lost = PriceCatalog.packed.rows.filter { row ->
            val providers = served.filter { provider -> PriceNames.tables(provider).any { row.isOf(it) } }
            if (row.mode !in MODES || providers.isEmpty()) return@filter false
            val isFound = providers.any { provider -> spellings(provider, row.id).any { PriceCatalog.packed.row(it)?.id == row.id } }
            if (isFound) found++
            !isFound && unreachable.none { (_, isUnreachable) -> isUnreachable(row) }
        }
        lost.map { "${it.id} (${it.provider}, ${it.mode})" }.joinToString() shouldBe ""
        found shouldBeGreaterThan 3_000
    }
})

private fun PriceRow.isOf(table: String) =
    id.startsWith("$table/") || id.startsWith(table.replace('_', '-') + "/") || provider == table || provider in setOf("${table}_chat", "${table}_converse") ||
        provider.startsWith("$table-")

/** How a user may write the model of the row [id] at [provider]. */
private fun spellings(provider: String, id: String): List<ModelId> = listOf(id, id.substringAfter('/')).map { ModelId(provider, it) }
