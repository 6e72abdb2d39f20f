package dev.unifiedllm.dsl

import dev.unifiedllm.Model
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
