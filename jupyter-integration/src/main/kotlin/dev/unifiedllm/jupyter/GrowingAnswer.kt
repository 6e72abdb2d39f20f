package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import kotlinx.serialization.json.JsonObject
import kotlin.time.toKotlinDuration

/**
 * Collects the deltas of an answer into the parts that a chat widget shows. Not thread-safe.
 *
 * @param newId makes ids of tool calls and files, unique within the widget
 */
internal class GrowingAnswer(private val nanoTime: () -> Long, private val newId: () -> String) {
    private val parts = mutableListOf<GrowingPart>()

    /** The tool calls of the step that is arriving, by their number in it. */
    private val calls = mutableMapOf<Int, GrowingPart.Tool>()
    private var stepStart = 0

    /** True if more than texts has changed since it was last set to false. */
    var isRestructured: Boolean = false

    /** What the answer waits for; null while its content arrives. */
    var phase: String? = "connecting"
        private set

    val isEmpty: Boolean get() = parts.isEmpty()

    /** How many characters are not shown. */
    val hidden: Long get() = parts.sumOf { (it as? GrowingWords)?.hidden ?: 0L }

    fun add(delta: Delta) {
        if (delta.isContent) {
            phase = null
            if (delta !is Delta.Reasoning) endReasoning()
        }
        when (delta) {
            is Delta.Text -> if (delta.choice == 0 && delta.text.isNotEmpty()) words<GrowingText> { GrowingText() }.append(delta.text)
            is Delta.Reasoning -> if (delta.choice == 0 && delta.text.isNotEmpty()) words<GrowingReasoning> { GrowingReasoning(nanoTime()) }.append(delta.text)
            is Delta.ToolCallDelta -> if (delta.choice == 0) call(delta)
            is Delta.ToolResult -> result(delta)
            is Delta.Media -> if (!delta.isPartial) media(delta)
            is Delta.Source -> add(ShownPart.Source(safeUrl(delta.url), reveal(delta.title ?: delta.url)))
            is Delta.Start -> phase = if (parts.isEmpty()) "waiting for the first words" else "thinking"
            is Delta.StepFinish -> endStep()
            is Delta.Attempt -> phase = delta.delay?.let { "trying again in ${seconds(it.toKotlinDuration())}" } ?: "trying another model"
            is Delta.Waiting -> phase = delta.reason + delta.delay?.let { ", ${seconds(it.toKotlinDuration())}" }.orEmpty()
            is Delta.Raw -> phase = "using ${delta.type.replace('_', ' ')}".capped("phase", MAX_PHASE)
            Delta.Reset -> reset()
            is Delta.Warning, is Delta.Finish, is Delta.Embedding -> Unit
        }
    }

    /** The texts since the last time as fields of a `delta`; empty if there are none. */
    fun news(): List<JsonObject> = parts.mapIndexedNotNull { index, part -> (part as? GrowingWords)?.news(index) }

    /** All parts as they are now. Later [news] begin after them, so that they must be sent. */
    fun shown(): List<ShownPart> = parts.map { it.shown() }

    /** The file [id]; null if there is none. */
    fun file(id: String): ShownPart.File? =
        parts.firstNotNullOfOrNull { part -> ((part as? GrowingPart.Fixed)?.part as? ShownPart.File)?.takeIf { it.id == id } }

    /** Shows the images at these URLs in place of their links. */
    fun downloaded(images: Map<String, ByteArray>): Unit = parts.replaceAll { part ->
        val picture = (part as? GrowingPart.Elsewhere)?.picture
        images[picture?.url]?.let { file(Picture(checkNotNull(picture).url, picture.mediaType, it), "image") } ?: part
    }

    /** The parts after the end, in whatever way it ended: tool calls without a result were interrupted. */
    fun ended(): List<ShownPart> {
        endReasoning()
        for (tool in parts.filterIsInstance<GrowingPart.Tool>()) if (tool.result == null) tool.state = ToolState.INTERRUPTED
        return parts.map { it.shown(isLast = true) }
    }

    /** The tool call that waits for an approval from now on. */
    fun awaiting(call: Part.ToolCall): GrowingPart.Tool? {
        val tool = openCalls().firstOrNull { it.id == call.id && it.name == call.name && it.state in UNDECIDED && !it.isDecided } ?: return null
        openCalls().filter { it.state == ToolState.RUNNING && !it.isDecided }.forEach { it.state = ToolState.WAITING } // nothing runs before the decision
        tool.state = ToolState.AWAITING
        isRestructured = true
        phase = "waiting for your approval of ${call.name}"
        return tool
    }

    fun decided(tool: GrowingPart.Tool, isApproved: Boolean) {
        tool.state = if (isApproved) ToolState.RUNNING else ToolState.DENIED
        tool.isDenied = !isApproved
        tool.isDecided = true
        openCalls().filter { it.state == ToolState.WAITING }.forEach { it.state = ToolState.RUNNING }
        isRestructured = true
        phase = null
    }

    private inline fun <reified T : GrowingWords> words(new: () -> T): T = parts.lastOrNull() as? T ?: new().also { parts += it }

    private fun add(part: ShownPart) {
        parts += GrowingPart.Fixed(part)
        isRestructured = true
    }

    private fun call(delta: Delta.ToolCallDelta) {
        val tool = calls.getOrPut(delta.index) { GrowingPart.Tool(newId()).also { parts += it } }
        delta.id?.let { tool.id = it }
        delta.name?.let { tool.name = it }
        tool.arguments.append(delta.argumentsFragment)
        isRestructured = true
    }

    private fun openCalls() = parts.filterIsInstance<GrowingPart.Tool>().filter { it.result == null }

    private fun endStep() {
        openCalls().forEach { it.state = ToolState.RUNNING }
        calls.clear()
        stepStart = parts.size
        isRestructured = true
    }

    private fun result(delta: Delta.ToolResult) {
        val tool = openCalls().firstOrNull { it.id == delta.id } ?: openCalls().firstOrNull { it.name == delta.name } ?: return
        tool.result = delta.text.capped("messages", MAX_RESULT)
        tool.seconds = delta.duration.toMillis() / MILLIS
        tool.state = when {
            tool.isDenied -> ToolState.DENIED
            delta.error != null -> ToolState.FAILED
            else -> ToolState.DONE
        }
        for (image in delta.content.filterIsInstance<Part.Image>()) parts += file(Picture(image.url, "image/*"), delta.name)
        stepStart = parts.size
        isRestructured = true
        if (openCalls().isEmpty()) phase = "thinking"
    }

    private fun media(delta: Delta.Media) {
        parts += file(Picture(delta.url, delta.mediaType), delta.mediaType.substringBefore('/'))
        isRestructured = true
    }

    private fun file(picture: Picture, name: String): GrowingPart =
        if (picture.content == null) GrowingPart.Elsewhere(picture) else GrowingPart.Fixed(ShownPart.File(newId(), reveal(name), picture))

    private fun reset() {
        parts.subList(stepStart, parts.size).clear()
        calls.clear()
        isRestructured = true
    }

    private fun endReasoning() {
        (parts.lastOrNull() as? GrowingReasoning)?.ended(nanoTime())
    }

    private companion object {
        val UNDECIDED = setOf(ToolState.RUNNING, ToolState.WAITING)
        const val MAX_RESULT = 20_000
        const val MAX_PHASE = 100
        const val MILLIS = 1e3
    }
}
