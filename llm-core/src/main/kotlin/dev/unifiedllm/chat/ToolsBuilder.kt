package dev.unifiedllm.chat

import dev.unifiedllm.LlmDsl
import kotlinx.serialization.json.JsonObject
import java.util.function.Predicate
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/** The tools of a chat request, and how they are run. */
@LlmDsl
public sealed class ToolsBuilder<B : ToolsBuilder<B>>(model: ModelRef, from: ChatRequest?, context: CallContext?) :
    RequestBuilder<B>(model, context, from?.providerOptions) {
    @get:JvmSynthetic
    internal val tools: MutableList<Tool> = from?.tools.orEmpty().toMutableList()

    /** Whether the model may, must or must not call tools. A choice that requires a call holds until one has been run. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var toolChoice: ToolChoice? = from?.toolChoice

    /** False: at most one tool call per response. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var parallelToolCalls: Boolean? = from?.parallelToolCalls

    /**
     * How many responses of the model a call with tools may take; the tool calls of the last one are not run. Null: the client's setting, else the
     * variable MAX_ITERATIONS, else 10.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxIterations: Int?
        get() = callSettings.tools?.maxIterations
        set(value) = set("maxIterations", value) { copy(maxIterations = value) }

    /** How many tools run at the same time. Null: 8. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxParallelTools: Int?
        get() = callSettings.tools?.maxParallel
        set(value) = set("maxParallelTools", value) { copy(maxParallel = value) }

    /**
     * Offers [tool] to the model. With a function it is run by the library; the calls of one without are in the response.
     *
     * @throws IllegalArgumentException if there is a tool of this name already
     */
    public fun tool(tool: Tool): B {
        require(tools.none { it.name == tool.name }) { "there are two tools called \"${tool.name}\", which providers refuse. Rename one or leave it out" }
        return self.apply { this@ToolsBuilder.tools += tool }
    }

    /**
     * Offers a tool to the model. Its calls are in the response; the result of one is sent with `toolResult`.
     *
     * @param parameters the JSON schema of the arguments
     * @throws IllegalArgumentException if [parameters] is not the text of a JSON object
     */
    public fun tool(name: String, description: String, parameters: String): B = tool(Tool.of(name, description, parameters))

    public fun tool(name: String, description: String, parameters: JsonObject): B = tool(Tool.of(name, description, parameters))

    /**
     * Offers a tool to the model, and runs it when the model calls it: see [Tool.of].
     *
     *     tool("weather", "Current weather in a city") { city: City -> lookup(city) }
     */
    @JvmSynthetic
    public inline fun <reified A, reified R> tool(name: String, description: String, noinline run: suspend (A) -> R): B =
        tool(Tool.of<A, R>(name, description, run))

    /** Offers a tool to the model, and runs it when the model calls it: see [Tool.of]. */
    public fun <A> tool(name: String, description: String, type: Class<A>, run: ToolFunction<A>): B =
        tool(Tool.of(name, description, type, run))

    /** Offers a tool to the model, and runs it when the model calls it: see [Tool.of]. @param parameters the JSON schema of the arguments */
    @JvmSynthetic
    public fun tool(name: String, description: String, parameters: String, run: suspend (JsonObject) -> Any?): B =
        tool(Tool.of(name, description, parameters, run))

    /** Offers a tool to the model, and runs it when the model calls it: see [Tool.of]. @param parameters the JSON schema of the arguments */
    public fun tool(name: String, description: String, parameters: String, run: ToolFunction<String>): B =
        tool(Tool.of(name, description, parameters, run))

    /** Asks [approve] before each tool call is run, one call after the other. A call that it refuses is not run, and the model is told. */
    @JvmSynthetic
    public fun approve(approve: suspend (Part.ToolCall) -> Boolean): B = change { copy(approve = approve) }

    /** Asks [approve] before each tool call is run, one call after the other. A call that it refuses is not run, and the model is told. */
    public fun approve(approve: Predicate<Part.ToolCall>): B = change { copy(approve = { approve.test(it) }) }

    /** How long a run of a tool may take, unless the tool has a timeout of its own. Default: 60 seconds. */
    @JvmSynthetic
    public fun toolTimeout(timeout: Duration): B {
        require(timeout.isPositive()) { "toolTimeout must be positive, was $timeout" }
        return change { copy(timeout = timeout) }
    }

    /** How long a run of a tool may take, unless the tool has a timeout of its own. Default: 60 seconds. */
    public fun toolTimeout(timeout: java.time.Duration): B = toolTimeout(timeout.toKotlinDuration())

    private fun change(change: ToolSettings.() -> ToolSettings): B = self.apply { callSettings.tools = (callSettings.tools ?: ToolSettings()).change() }

    public fun toolChoice(choice: ToolChoice): B = self.apply { toolChoice = choice }

    public fun parallelToolCalls(parallel: Boolean): B = self.apply { parallelToolCalls = parallel }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxIterations(count: Int): B = self.apply { maxIterations = count }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxParallelTools(count: Int): B = self.apply { maxParallelTools = count }

    private fun set(name: String, value: Int?, change: ToolSettings.() -> ToolSettings) {
        require(value == null || value > 0) { "$name must be positive, was $value" }
        change { change() }
    }
}
