package dev.unifiedllm.dsl

import dev.unifiedllm.Model
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

/** A model that Groq serves. */
public fun groq(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("groq", name, apiKey, baseUrl, systemMessage)

/** A model that an Ollama server serves, on this machine unless [baseUrl] or OLLAMA_API_BASE says otherwise. */
public fun ollama(name: String, apiKey: String? = null, baseUrl: String? = null, systemMessage: String? = null): Model =
    providerModel("ollama", name, apiKey, baseUrl, systemMessage)
