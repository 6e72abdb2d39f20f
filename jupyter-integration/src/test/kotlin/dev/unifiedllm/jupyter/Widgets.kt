package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.int

/** A model that answers each request by [answer] and keeps the requests. */
internal class ScriptedModel(private val answer: suspend FlowCollector<Delta>.(ChatRequest) -> Unit) : Model {
    val requests = mutableListOf<ChatRequest>()

    override val id: ModelId = ModelId("fake", "model")

    val lastHistory: List<String> get() = requests.last().messages.map { "${it.role.name.lowercase()}: ${it.text}" }

    override fun stream(request: Request): Flow<Delta> = flow {
        requests += request as ChatRequest
        emit(Delta.Start("r-${requests.size}", id))
        answer(request)
    }
}

internal fun echo(): ScriptedModel = ScriptedModel { request ->
    emit(Delta.Text("echo ${request.messages.last().text}"))
    emit(finish())
}

/** What a widget sends to its front end, and when. It keeps the state as a front end does. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class FakeFront(private val test: TestScope) : WidgetPort {
    val frames = mutableListOf<JsonObject>()
    val times = mutableListOf<Long>()
    val state = mutableMapOf<String, Any?>()
    var updates = 0

    override fun update(state: JsonObject) {
        updates++
        this.state += state
    }

    override fun send(frame: JsonObject) {
        frames += frame
        times += test.currentTime
    }

    fun frames(type: String): List<JsonObject> = frames.filter { it.text("type") == type }

    val messages: List<JsonObject> get() = (state["messages"] as JsonArray).map { it as JsonObject }

    fun shown(): List<String> = messages.map { message -> "${message.text("role")} ${message.text("state")}: ${message.words()}" }
}

internal val JsonObject.parts: List<JsonObject> get() = (getValue("parts") as JsonArray).map { it as JsonObject }

internal fun JsonObject.words(): String = parts.mapNotNull { it.text("text") }.joinToString(" | ")

internal fun JsonObject.number(name: String): Int = (getValue(name) as JsonPrimitive).int

/** A widget with a fake front end, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class WidgetTest(val test: TestScope, val session: WidgetSession, val protocol: WidgetProtocol, val front: FakeFront, val scope: CoroutineScope) {
    private var requests = 0

    /** Sends a message of the front end, and runs all that happens at once. */
    fun tell(type: String, vararg fields: Pair<String, Any?>) {
        protocol.receive(frame(type, *fields))
        test.testScheduler.runCurrent()
    }

    fun send(text: String, id: String = "q${++requests}"): String = id.also { tell("send", "requestId" to it, "text" to text) }

    /** Sends, and waits for the end of the answer. */
    fun chat(text: String) {
        send(text)
        settle()
    }

    fun settle(): Unit = test.testScheduler.advanceUntilIdle()
}

@OptIn(ExperimentalCoroutinesApi::class)
internal fun widgetTest(
    model: Model,
    options: WidgetOptions = WidgetOptions(model),
    config: WidgetConfig = WidgetConfig(),
    isBusy: () -> Boolean = { false },
    client: LlmBuilder.() -> Unit = {},
    block: suspend WidgetTest.() -> Unit,
) = widgetTest(options, config, isBusy, { llm, test -> ModelAnswerer(StandardTestDispatcher(test.testScheduler), llm) { llm } }, client, block)

@OptIn(ExperimentalCoroutinesApi::class)
internal fun functionTest(answer: suspend (List<Message>) -> Any?, block: suspend WidgetTest.() -> Unit) =
    functionTest(WidgetConfig(), { history, _ -> answer(history) }, block)

@OptIn(ExperimentalCoroutinesApi::class)
internal fun functionTest(config: WidgetConfig, answer: suspend (List<Message>, ChatConfig) -> Any?, block: suspend WidgetTest.() -> Unit) = widgetTest(
    WidgetOptions(model = null, showConfigurationControls = true),
    config,
    { false },
    { _, test -> FunctionAnswerer(StandardTestDispatcher(test.testScheduler), answer = answer) },
    {},
    block,
)

@OptIn(ExperimentalCoroutinesApi::class)
private fun widgetTest(
    options: WidgetOptions,
    config: WidgetConfig,
    isBusy: () -> Boolean,
    answerer: (Llm, TestScope) -> Answerer,
    client: LlmBuilder.() -> Unit,
    block: suspend WidgetTest.() -> Unit,
) = runTest {
    val dispatcher = StandardTestDispatcher(testScheduler)
    val llm = Llm.builder().retry { maxRetries = 0 }.apply { context = dispatcher }.apply(client).build()
    val scope = CoroutineScope(SupervisorJob() + dispatcher)
    val session = WidgetSession(options, answerer(llm, this), scope, { testScheduler.currentTime * 1_000_000 }, dispatcher, isBusy, config)
    val front = FakeFront(this)
    session.port = front
    val protocol = WidgetProtocol(session, scope, testScheduler.timeSource, isBusy)
    try {
        WidgetTest(this, session, protocol, front, scope).block()
    } finally {
        scope.cancel()
        llm.close()
    }
}
