package dev.unifiedllm.dsl

import dev.unifiedllm.Model
import dev.unifiedllm.bedrockModel
import dev.unifiedllm.providerModel
import dev.unifiedllm.firstOf as coreFirstOf
import dev.unifiedllm.model as coreModel
import dev.unifiedllm.simple as coreSimple

/** The model called [id], which is "provider/model", where a list wants a Model. */
public fun model(id: String): Model = coreModel(id)

/** A model that asks [models] in turn, until one delivers its first content. */
public fun firstOf(vararg models: String): Model = coreFirstOf(*models)

/** A model that asks [models] in turn, until one delivers its first content. */
public fun firstOf(vararg models: Model): Model = coreFirstOf(*models)

/** Any function as a model: it gets the last thing that the user said, and what it returns is the answer. */
public fun simple(answer: (prompt: String) -> String): Model = coreSimple(answer)

/** A model of OpenAI's; another provider's name may stand in front of it, as in `openai("ollama/llama3")`. */
public fun openai(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("openai", name, apiKey, baseUrl, systemMessage)

/** A model of Anthropic's. */
public fun anthropic(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("anthropic", name, apiKey, baseUrl, systemMessage)

/** A model that Groq serves. */
public fun groq(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("groq", name, apiKey, baseUrl, systemMessage)

/** A model that an Ollama server serves, on this machine unless [baseUrl] or OLLAMA_API_BASE says otherwise. */
public fun ollama(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("ollama", name, apiKey, baseUrl, systemMessage)

/** A model of Google's, by the Gemini API; `google("vertex_ai/…")` asks Vertex AI. */
public fun google(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("gemini", name, apiKey, baseUrl, systemMessage)

/**
 * A model on Amazon Bedrock, by its id, inference profile or ARN. What is not given comes from the environment and AWS's configuration files.
 *
 * @param region as in `us-east-1`
 * @param profile of AWS's configuration files; or [accessKeyId] and [secretAccessKey], with [sessionToken] where they are temporary
 * @param apiKey an API key of Bedrock's, instead of those
 */
public fun bedrock(
    name: String,
    region: String? = null,
    profile: String? = null,
    accessKeyId: String? = null,
    secretAccessKey: String? = null,
    sessionToken: String? = null,
    apiKey: String? = null,
    baseUrl: String? = null,
    systemMessage: String? = null,
): Model = bedrockModel(name, region, profile, accessKeyId, secretAccessKey, sessionToken, apiKey, baseUrl, systemMessage)
