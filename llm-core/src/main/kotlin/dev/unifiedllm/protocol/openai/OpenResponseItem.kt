package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.jsonElementOrNull
import kotlinx.serialization.json.JsonObject

/**
 * The state of an output item.
 *
 * @property kind as [ResponseItem.kind]; null before it is known
 * @property index the index in its first event; -1 if that had none
 * @property id the id in the event that begins it or, before that, in its first event; null if it had none
 */
internal class OpenResponseItem(var kind: String?, val index: Long, var id: String?) {
    /** Its index among the tool calls; -1 before the call has begun. */
    var call = -1
    var callId: String? = null
    var name: String? = null

    /** True for a custom tool: its input is not JSON. */
    var isCustom = false

    /** What has been delivered of it: text, reasoning or arguments. */
    val text = StringBuilder()

    /** Arguments that came before the call had begun. */
    val held = StringBuilder()

    /** The item in the event that begins it, as JSON; null before that event. */
    var announced: String? = null

    /** True once it is complete. */
    var isDone = false

    /** True once a later event has the id of the event that begins it: then an event with another id is not of this item. */
    var hasStableId = false

    /** True if its complete arguments are known. */
    var isSettled = false

    /** True if some arguments may be of this call or of another one. Then only an event with its complete arguments counts. */
    var isUnclear = false

    /** True once its signature has been delivered. */
    var isSigned = false

    /** True once its image has been delivered. */
    var hasMedia = false

    /** True once it has been delivered as it is. */
    var hasRaw = false

    /** True if its reasoning comes as a summary; null before the first piece. If a server sends both, the first kind counts. */
    var isSummary: Boolean? = null

    /** As [ResponseItem.action]. */
    var action: String? = null

    /** The index of the content part that is being streamed. */
    var part = NO_PART
        private set
    private var partStart = 0
    private var isPartDone = false
    private val earlierParts = HashSet<Long>()

    fun mayBe(kind: String?) = this.kind == null || kind == null || this.kind == kind

    fun isAt(index: Long) = index < 0 || this.index < 0 || this.index == index

    fun mayHaveId(id: String?) = id == null || this.id == null || this.id == id || !hasStableId

    fun mayHaveCallId(callId: String?) = callId == null || this.callId == null || this.callId == callId

    fun beginPart(index: Long) {
        if (part != NO_PART) earlierParts += part
        part = index
        partStart = text.length
        isPartDone = false
    }

    /** What is missing of content part [index], whose complete text is [full]. Some servers give the index in some events only. */
    fun restOfPart(index: Long, full: String): String {
        val current = text.substring(partStart)
        val isCurrent = part == NO_PART || index == part || index < 0 || part < 0 || (!isPartDone && current == full)
        if (!isCurrent && index in earlierParts) return ""
        if (!isCurrent || part == NO_PART) beginPart(index)
        isPartDone = true
        return if (isCurrent) rest(current, full) else full
    }

    /** True if its arguments so far are a JSON object. */
    fun hasWholeArguments() = !isCustom && text.endsWith("}") && isObject(text.toString())

    /** True if [fragment] begins the arguments of another call, since those of this one are complete. */
    fun endsBefore(fragment: String) = fragment.startsWith("{") && hasWholeArguments()

    companion object {
        private const val NO_PART = -2L

        /** What is missing of [full] after [delivered]; empty if [full] does not begin with it. */
        fun rest(delivered: CharSequence, full: String): String = if (full.startsWith(delivered)) full.substring(delivered.length) else ""

        fun isObject(text: String): Boolean = jsonElementOrNull(text) is JsonObject
    }
}
