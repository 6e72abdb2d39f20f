package dev.unifiedllm.dsl

import dev.unifiedllm.Model
import dev.unifiedllm.Models

/** The model called [id], which is "provider/model", where a list needs a Model. */
public fun model(id: String): Model = Models.named(id)

/** A model that tries [models] in order until one delivers its first content. */
public fun firstOf(vararg models: String): Model = Models.firstOf(*models)

/** A model that tries [models] in order until one delivers its first content. */
public fun firstOf(vararg models: Model): Model = Models.firstOf(*models)

/**
 * A function as a model: [answer] gets the text of the last user message and returns the text of the response. It may block, and is interrupted when the
 * call is cancelled or its time is up. Its cost is Free.
 */
public fun simple(answer: (prompt: String) -> String): Model = Models.simple(answer)
