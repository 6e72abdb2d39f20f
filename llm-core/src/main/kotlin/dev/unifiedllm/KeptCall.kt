@file:OptIn(InternalLlmApi::class)

package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.schema.JsonType

/**
 * A call whose result can be kept.
 *
 * @param shared the call that is made
 * @param type of its answer; null for any
 * @param restore makes the result of kept deltas
 */
internal class KeptCall<R : Any>(
    private val shared: SharedCall<*>,
    private val request: Request,
    private val type: JsonType<*>?,
    val restore: (List<Delta>) -> Restored<R>,
) {
    /** A result of kept deltas, and the response that it was read from. */
    class Restored<R : Any>(val value: R, val response: Any)

    /** Those of the call, when it has ended. */
    fun deltas(): List<Delta> = shared.log.snapshot()

    /** What is asked, as a text that differs for different requests, models, places of models and types of the answer. */
    fun form(): String = listOfNotNull(shared.client().keptForm(request), type?.schema?.toString()).joinToString(SEPARATOR)
}

/** Null for a call that is not made of deltas. */
@Suppress("UNCHECKED_CAST") // each branch has the type of its call
internal fun <R : Any> keptCall(call: Call<R>): KeptCall<R>? = when (call) {
    is Reply -> kept(call.call, call.request)
    is ImageReply -> kept(call.call, call.request)
    is EmbeddingReply -> kept(call.call, call.request)
    is TypedReply<*> -> typed(call)
    else -> null
} as KeptCall<R>?

private fun <R : Any> kept(call: SharedCall<R>, request: Request) = KeptCall(call, request, null) { deltas ->
    call.restored(deltas).let { KeptCall.Restored(it, it) }
}

private fun <R : Any> typed(call: TypedReply<R>) = KeptCall(call.reply.call, call.reply.request, call.type) { deltas ->
    call.reply.call.restored(deltas).let { KeptCall.Restored(call.read(it), it) }
}

/**
 * What [request] asks of this client: all its fields with the client's defaults, and the model that it asks first, by its provider's own name and with its
 * base URL. The same in all processes: neither keys nor marks of one process are in it.
 */
private fun Client.keptForm(request: Request): String {
    val asked = settled.over(request)
    val place = try {
        queries.place(this.asked(asked))
    } catch (_: LlmException.Configuration) { // such as no default model, which the call tells
        "${request.model}"
    }
    return "$place$SEPARATOR${requestForm(asked)}"
}

private fun ProviderQueries.place(model: ModelRef): String = when (val member = members(model).first()) {
    is ModelId -> place(UnboundModel(member))
    is UnboundModel -> place(member)
    is GroupModel -> "${member.id} ${member.targets.map { place(it.model) }.distinct().sorted()}"
    is Intercepted -> place(member.next)
    is BoundModel -> member.client.queries.place(member.id)
    else -> "${member.id}"
}

private fun ProviderQueries.place(model: UnboundModel): String {
    val name = names.named(model)
    val id = names.innerOf(model, name) ?: name
    if (id.provider == DemoModel.PROVIDER) return "$id"
    val url = try {
        names.baseUrl(id, model.settings).url
    } catch (_: LlmException.Configuration) { // which the call tells
        ""
    }
    return "${names.found(id)} $url"
}

private const val SEPARATOR = "\n\u0000\n"
