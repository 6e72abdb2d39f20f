@file:JvmName("Providers")

package dev.unifiedllm.dsl

import dev.unifiedllm.Model
import dev.unifiedllm.bedrockModel
import dev.unifiedllm.providerModel

/** A model of OpenAI. Another provider's prefix in [name] wins, as in `openai("ollama/llama3")`. */
@JvmOverloads
public fun openai(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("openai", name, apiKey, baseUrl, systemMessage)

/** A model of Anthropic. */
@JvmOverloads
public fun anthropic(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("anthropic", name, apiKey, baseUrl, systemMessage)

/** A model at Groq. */
@JvmOverloads
public fun groq(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("groq", name, apiKey, baseUrl, systemMessage)

/** A model at an Ollama server: on this machine, unless [baseUrl] or the variable OLLAMA_API_BASE names another. */
@JvmOverloads
public fun ollama(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("ollama", name, apiKey, baseUrl, systemMessage)

/** A model of Google at the Gemini API; `google("vertex_ai/…")` uses Vertex AI. */
@JvmOverloads
public fun google(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("gemini", name, apiKey, baseUrl, systemMessage)

/**
 * A model on Amazon Bedrock, by its id, inference profile or ARN. What is not given comes from the environment and the configuration files of AWS.
 *
 * @param region as in `us-east-1`
 * @param profile of AWS's configuration files; or [accessKeyId] and [secretAccessKey], with [sessionToken] where they are temporary
 * @param apiKey a Bedrock API key, instead of those
 */
@JvmOverloads
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
