package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef

/** The models of tasks, for calls that name a task and no model. */
@LlmDsl
public class RouteBuilder @InternalLlmApi constructor() {
    @get:JvmSynthetic
    internal val tasks: MutableMap<String, ModelRef> = linkedMapOf()

    /** Calls with `task = "…"` and without a model go to [model], which is "provider/model". @throws IllegalArgumentException if a name is blank */
    public fun task(task: String, model: String): RouteBuilder = task(task, ModelId.parse(model))

    /** Calls with `task = "…"` and without a model go to [model], which may be a group or a chain. @throws IllegalArgumentException if [task] is blank */
    public fun task(task: String, model: ModelRef): RouteBuilder = apply {
        require(task.isNotBlank()) { "a route needs the name of a task, as in task(\"summarize\", \"groq/llama-3.1-8b-instant\")" }
        tasks[task] = model
    }
}
