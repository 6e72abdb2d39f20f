package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.pricing.PriceCatalog
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

/** A resolver with every key set, so that only the name decides. */
private fun resolver(variables: Map<String, String> = emptyMap()) = TargetResolver(
    ProviderRegistry.packed,
    { name -> variables[name] ?: "sk-test".takeIf { name.endsWith("_KEY") } },
    emptyMap(),
    catalogue = { PriceCatalog.packed.models },
)

private fun resolved(name: String, variables: Map<String, String> = emptyMap()) = resolver(variables).resolve(ModelId.parse(name)).id.toString()

class BareNameSpec : FunSpec({
    context("a name that only one provider has needs no prefix") {
        withData(
            "gpt-4o" to "openai", "gpt-4" to "openai", "gpt-4-turbo" to "openai", "gpt-3.5-turbo" to "openai", "chatgpt-4o-latest" to "openai",
            "o1" to "openai", "o3-mini" to "openai", "o4-mini" to "openai", "ft:gpt-4o-mini:me::x" to "openai", "text-embedding-3-small" to "openai",
            "dall-e-3" to "openai", "dall-e-2" to "openai", "gpt-image-1" to "openai",
            "gemini-pro" to "gemini", "gemini-pro-vision" to "gemini", "gemini-2.5-flash" to "gemini",
            "command" to "cohere", "command-light" to "cohere", "command-nightly" to "cohere", "command-r-plus" to "cohere", "embed-english-v3.0" to "cohere",
            "c4ai-aya-expanse-32b" to "cohere",
            "grok-3" to "xai", "mistral-large" to "mistral", "codestral-latest" to "mistral", "magistral-medium" to "mistral", "ministral-8b" to "mistral",
            "pixtral-12b" to "mistral", "open-mistral-nemo" to "mistral", "deepseek-chat" to "deepseek", "sonar" to "perplexity", "sonar-pro" to "perplexity",
            "kimi-k2" to "moonshot", "moonshot-v1-8k" to "moonshot", "glm-4.6" to "zai", "qwen-max" to "dashscope", "qwen3-coder-plus" to "dashscope",
            "llama3:8b" to "ollama", "qwen2.5:7b" to "ollama", "deepseek-r1:8b" to "ollama", "gpt-oss:20b" to "ollama",
        ) { (name, provider) -> resolved(name) shouldBe "$provider/$name" }
    }

    test("Claude without prefix is Anthropic's, in any case") {
        ModelFamilies.packed.provider("claude-3-haiku-20240307") shouldBe "anthropic"
        ModelFamilies.packed.provider("Claude-3-Opus") shouldBe "anthropic"
        ModelFamilies.packed.provider("anthropic.claude-3-haiku-20240307-v1:0") shouldBe "bedrock"
    }

    test("the provider of every family is served, or not served with a reason") {
        for (provider in ModelFamilies.packed.providers) (ProviderRegistry.packed.find(provider) ?: NotServed.reason(provider)).shouldNotBeNull()
    }

    test("the error for a family whose provider is not served gives the reason") {
        val families = ModelFamilies(listOf(ModelFamilies.Family("recraftv.*", "recraft")))
        val resolver = TargetResolver(ProviderRegistry.packed, Protocols, Environment { null }, emptyMap(), families = families)
        val error = shouldThrow<LlmException.Configuration> { resolver.resolve(ModelId.parse("recraftv3")) }
        error.message shouldContain "\"recraft\", to which \"recraftv3\" belongs, is known, but not supported (wire: images)"
        shouldThrow<LlmException.Configuration> { resolved("recraft/recraftv3") }.message shouldContain "is known, but not supported (wire: images)"
    }

    test("a name that several providers have, or none, is an error that suggests similar models") {
        for (name in listOf("llama-3.3-70b", "lama-3.3-70b")) {
            val error = shouldThrow<LlmException.Configuration> { resolved(name) }
            error.message shouldContain "does not name a provider"
            error.message shouldContain "\"cerebras/llama-3.3-70b\""
        }
        shouldThrow<LlmException.Configuration> { resolved("zzz") }.message shouldContain "OPENAI_BASE_URL"
    }

    test("the error for a provider's name alone asks for one of its models") {
        for (name in listOf("openai", "groq", "google")) {
            shouldThrow<LlmException.Configuration> { resolved(name) }.message shouldContain "\"$name\" is a provider. Name one of its models"
        }
    }

    test("with a base URL set by the user, a name without prefix is passed on, whatever its family") {
        val variables = mapOf("OPENAI_BASE_URL" to "http://localhost:4000/v1")
        for (name in listOf("claude-3-opus", "llama-3-70b", "mistral-large")) resolved(name, variables) shouldBe "openai/$name"
    }

    test("a base URL at OpenAI's own host replaces no server: a name without prefix goes to the provider of its family") {
        for (base in listOf("https://api.openai.com/v1", "https://api.openai.com", "https://eu.api.openai.com/v1/")) {
            val variables = mapOf("OPENAI_BASE_URL" to base)
            resolved("claude-3-haiku-20240307", variables) shouldBe "anthropic/claude-3-haiku-20240307"
            resolved("gpt-4o", variables) shouldBe "openai/gpt-4o"
            resolver(variables).resolve(ModelId.parse("gpt-4o")).baseUrl shouldBe base.trimEnd('/')
            shouldThrow<LlmException.Configuration> { resolved("llama-3-70b", variables) }.message shouldContain "does not name a provider"
        }
    }

    test("a base URL replaces a provider on this machine, even one at the same address") {
        fun isReplaced(row: String, base: String?) = ProviderRegistry.packed.find(row)!!.isReplaced(Environment { base })
        for (row in listOf("litellm_proxy", "ollama")) isReplaced(row, "http://localhost:4000") shouldBe true
        isReplaced("openai", "not a URL") shouldBe true
        isReplaced("openai", "https://api.openai.com.example.com/v1") shouldBe true
        isReplaced("openai", " ") shouldBe false
    }

    test("USE_LITELLM_PROXY sends every model to the proxy, under its whole name") {
        val variables = mapOf("USE_LITELLM_PROXY" to "true")
        resolved("gpt-4o", variables) shouldBe "litellm_proxy/gpt-4o"
        resolved("groq/llama3-8b-8192", variables) shouldBe "litellm_proxy/groq/llama3-8b-8192"
        resolved("litellm_proxy/mine", variables) shouldBe "litellm_proxy/mine"
        resolved("gpt-4o", mapOf("USE_LITELLM_PROXY" to "false")) shouldBe "openai/gpt-4o"
    }

    context("a name without prefix that a deployment on Azure may have goes there, if Azure is set up:") {
        val azure = mapOf("AZURE_API_KEY" to "k", "AZURE_API_BASE" to "https://acme.openai.azure.com")
        val openai = mapOf("OPENAI_API_KEY" to "k")
        val server = openai + ("OPENAI_BASE_URL" to "http://localhost:4000/v1")
        val anthropic = mapOf("ANTHROPIC_API_KEY" to "k")
        withData<Triple<String, Map<String, String>, String?>>(
            { (name, variables, found) -> "$name with ${variables.keys} is $found" },
            Triple("zz-deployment", azure + server + anthropic, "azure/zz-deployment"),
            Triple("zz-deployment", mapOf("AZURE_API_KEY" to "k", "AZURE_RESOURCE_NAME" to "acme") + openai, "azure/zz-deployment"),
            Triple("zz-deployment", server + anthropic, "openai/zz-deployment"),
            Triple("zz-deployment", openai + anthropic, null), // what they have is of a family: it is not guessed
            Triple("zz-deployment", mapOf("AZURE_API_KEY" to "k") + anthropic, null), // without an address
            Triple("gpt-4o", azure, "azure/gpt-4o"), // OpenAI is not set up
            Triple("gpt-4o", azure + openai, "openai/gpt-4o"), // its family
            Triple("claude-3-opus", azure + anthropic, "anthropic/claude-3-opus"),
            Triple("llama-3.3-70b", azure, "azure/llama-3.3-70b"), // a deployment may have any name
        ) { (name, variables, found) ->
            val resolver = TargetResolver(ProviderRegistry.packed, variables::get, emptyMap(), catalogue = { PriceCatalog.packed.models })
            if (found == null) {
                shouldThrow<LlmException.Configuration> { resolver.resolve(ModelId.parse(name)) }.message shouldContain "does not name a provider"
            } else {
                resolver.resolve(ModelId.parse(name)).id.toString() shouldBe found
            }
        }
    }
})
