package dev.unifiedllm.dsl

import dev.unifiedllm.GroupBuilder
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import kotlin.time.Duration

/**
 * A group of deployments, called [name] in messages: each call goes to one of its targets, and to the next one if that fails.
 *
 *     val gpt = group("gpt") {
 *         target("openai/gpt-4o") { apiKey = first; weight = 2 }
 *         target("azure/gpt-4o")
 *     }
 */
public fun group(name: String, block: GroupBuilder.() -> Unit): Model = Models.group(name, block)

/**
 * A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. The first one that delivers content
 * gives the response; the others are cancelled, and may be billed by their providers.
 */
@JvmSynthetic
public fun hedge(delay: Duration, vararg models: String): Model = Models.hedge(delay, *models)

/**
 * A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. The first one that delivers content
 * gives the response; the others are cancelled, and may be billed by their providers.
 */
@JvmSynthetic
public fun hedge(delay: Duration, vararg models: Model): Model = Models.hedge(delay, *models)
