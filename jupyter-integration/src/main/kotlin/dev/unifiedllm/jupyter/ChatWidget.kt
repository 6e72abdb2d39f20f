package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import kotlinx.coroutines.CoroutineScope
import java.util.UUID

/**
 * A chat in a notebook. As the value of a cell it is an interactive widget where the front end has anywidget (`pip install anywidget`), and a static
 * transcript elsewhere. The transcript is saved with the notebook.
 *
 * Its answers are written while cells run or not. What is clicked while a cell runs is handled when that cell ends: the Kotlin kernel has one thread for both.
 * Thread-safe. Made by [chatWidget].
 */
public class ChatWidget private constructor(private val session: WidgetSession, private val scope: CoroutineScope) {
    /** Unique within the kernel. */
    @get:JvmSynthetic
    internal val id: String = UUID.randomUUID().toString()

    /** The id of its model in the front end; null while no front end shows it. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var model: String? = null

    /** The outputs with its transcript. */
    @get:JvmSynthetic
    internal val transcripts: TranscriptOutputs = TranscriptOutputs()

    /** All messages in order, also those of answers that were stopped or have failed, with the usage of each answer. The last one may be growing. */
    @get:JvmName("value")
    public val value: List<ChatMessage> get() = session.value

    /** What the next request sends before its own message: the history without the messages that got no answer, as another chat can take it. */
    @get:JvmName("messages")
    public val messages: List<Message> get() = session.history

    /** True while an answer is being written. */
    @get:JvmName("isRunning")
    public val isRunning: Boolean get() = session.turn != null

    /** The settings of the next requests. The widget shows the change. */
    public var config: ChatConfig
        @JvmName("config")
        get() = session.config.chat

        @JvmName("config")
        set(value) {
            session.config = session.config.let { WidgetConfig(it.model, it.system, value) }
        }

    /** True: the widget takes no messages, and [ask] throws. */
    public var disabled: Boolean
        @JvmName("disabled")
        get() = session.isDisabled

        @JvmName("disabled")
        set(value) {
            session.isDisabled = value
        }

    /** The sum of the tokens of its answers; null if none has reported them. */
    @get:JvmName("usage")
    public val usage: Usage? get() = value.mapNotNull { it.usage }.reduceOrNull(Usage::plus)

    /** The sum of the known costs of its answers. The made-up costs of demo models do not count. */
    @get:JvmName("cost")
    public val cost: Usd get() = value.filter { it.model?.provider != "demo" }.mapNotNull { (it.cost as? Cost.Known)?.amount }.fold(Usd.ZERO, Usd::plus)

    /**
     * The next answer, not yet sent: as the value of a cell it is sent and streams there, and in the widget. It waits for an answer that is being written.
     *
     * Its terminals throw [IllegalStateException] if the widget is disabled, and what the answer fails with.
     */
    public fun ask(prompt: String): Call<ChatMessage> = ask(Message.user(prompt))

    /** The next answer, for a message with images or files. */
    public fun ask(message: Message): Call<ChatMessage> = AskCall(session, message, scope)

    /** Adds a message that is not answered. @throws IllegalStateException while an answer is being written */
    public fun append(role: Role, text: String): Unit = append(Message(role, listOf(Part.Text(text))))

    /** Adds a message that is not answered. @throws IllegalStateException while an answer is being written */
    public fun append(message: Message) {
        require(message.role != Role.TOOL) { "the result of a tool belongs to an answer and cannot stand alone" }
        session.append(message)
    }

    /** Stops the answer that is being written; the next one can begin at once. What has arrived stays. Its tokens are estimated a moment later. */
    public fun stop(): Unit = session.stop()

    /** Removes all messages, and stops the answer that is being written. */
    public fun reset(): Unit = session.reset()

    /** The chat as a Markdown document. */
    public fun toMarkdown(): String = transcriptMarkdown(session.options.title, session.shown)

    /** The chat as JSON, which `Conversation.fromJson` reads. It also has the states, tokens, costs and times of the answers. */
    public fun toJson(): String = transcriptJson(session.options, session.config, session.shown)

    /** The model and the number of messages. */
    override fun toString(): String = "ChatWidget(${session.options.title}, ${value.size} messages)"

    @JvmSynthetic
    internal fun session(): WidgetSession = session

    @JvmSynthetic
    internal fun transcript(): Rendered = session.shown.let { transcript(session.options.title, it, it.totals(), id) }

    internal companion object {
        @JvmSynthetic
        fun of(session: WidgetSession, scope: CoroutineScope): ChatWidget = ChatWidget(session, scope)
    }
}
