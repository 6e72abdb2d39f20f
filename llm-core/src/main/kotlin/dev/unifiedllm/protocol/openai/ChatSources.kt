package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source

/** Collects the sources of an answer, each URL once: with its title, if it came with one. */
internal class ChatSources {
    private val sources = linkedSetOf<Delta.Source>()

    val all: Set<Delta.Source> get() = sources

    /** Reads `annotations` of a message. */
    fun readAnnotations(json: JsonCursor) {
        json.elements { json.members(URL_CITATION) { json.source()?.let(::add) } }
    }

    /** Reads `citations`, a list of URLs. */
    fun readCitations(json: JsonCursor) {
        json.elements { json.stringOrNull()?.let { url -> if (sources.none { it.url == url }) sources += Delta.Source(url) } }
    }

    /** Reads `search_results`, a list of objects. */
    fun readSearchResults(json: JsonCursor) {
        json.elements { json.source()?.let(::add) }
    }

    private fun add(source: Delta.Source) {
        sources.removeIf { it.url == source.url && it.title == null }
        if (sources.none { it.url == source.url }) sources += source
    }

    private companion object {
        val URL_CITATION = JsonNames("url_citation")
    }
}
