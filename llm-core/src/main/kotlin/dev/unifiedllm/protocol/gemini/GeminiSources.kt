package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members

/**
 * The sources of a response: each URL once, in the order of arrival.
 *
 * @param billsRetrieval true if the provider bills searches in the user's own documents: Vertex AI does, the Gemini API does not
 */
internal class GeminiSources(private val billsRetrieval: Boolean = false) {
    private val byUrl = linkedMapOf<String, Delta.Source>()

    val found: Collection<Delta.Source> get() = byUrl.values

    private val queries = linkedSetOf<String>()

    // what the response is grounded in, besides the queries
    private var hasWeb = false
    private var hasMaps = false
    private var hasDocuments = false
    private var hasImageSearches = false
    private var hasSupports = false

    /** The web searches of the response; null if there were none, or if the provider does not say. */
    val searches: Long? get() = queries.size.takeIf { it > 0 }?.toLong()

    /** True if text is grounded in what the web was searched for. Supports alone are taken for it: they do not say what they refer to. */
    private val isGroundedInWeb: Boolean get() = hasWeb || (hasSupports && !hasMaps && !hasDocuments)

    /** Why the searches cannot be priced; null if they can be, or if there were none. */
    val unpriced: String?
        get() = when {
            hasMaps -> "no price is known for Google Maps"
            hasImageSearches -> "no price is known for image searches"
            hasDocuments && billsRetrieval -> "no price is known for searches in your documents"
            isGroundedInWeb && queries.isEmpty() -> "the provider did not report its web searches"
            else -> null
        }

    fun readGrounding(json: JsonCursor) {
        json.members(Grounding) { member ->
            when (member) {
                Grounding.GROUNDING_CHUNKS -> json.elements { chunk(json) }
                Grounding.WEB_SEARCH_QUERIES -> json.elements { json.stringOrNull()?.let { if (it.isNotEmpty()) queries += it } }
                Grounding.IMAGE_SEARCH_QUERIES -> json.elements { json.stringOrNull()?.let { if (it.isNotEmpty()) hasImageSearches = true } }
                Grounding.GROUNDING_SUPPORTS -> json.elements {
                    hasSupports = true
                    json.skip()
                }
                Grounding.SEARCH_ENTRY_POINT -> {
                    hasWeb = hasWeb || json.kind() == JsonKind.OBJECT
                    json.skip()
                }
            }
        }
    }

    private fun chunk(json: JsonCursor) {
        json.members(Chunk) { kind ->
            when (kind) {
                Chunk.WEB -> hasWeb = true
                Chunk.RETRIEVED_CONTEXT -> hasDocuments = true
                Chunk.MAPS -> hasMaps = true
                Chunk.IMAGE -> hasImageSearches = true
            }
            source(json)
        }
    }

    fun readCitations(json: JsonCursor) {
        json.members(CITATIONS) { json.elements { source(json) } }
    }

    private fun source(json: JsonCursor) {
        var url: String? = null
        var title: String? = null
        json.members(Source) { member ->
            when (member) {
                Source.URI -> url = json.stringOrNull()
                Source.TITLE -> title = json.stringOrNull()?.ifEmpty { null }
            }
        }
        url?.ifEmpty { null }?.let { if (byUrl[it]?.title == null) byUrl[it] = Delta.Source(it, title) }
    }

    private object Source : JsonNames("uri", "title") {
        const val URI = 0
        const val TITLE = 1
    }

    private object Grounding : JsonNames("groundingChunks", "webSearchQueries", "imageSearchQueries", "groundingSupports", "searchEntryPoint") {
        const val GROUNDING_CHUNKS = 0
        const val WEB_SEARCH_QUERIES = 1
        const val IMAGE_SEARCH_QUERIES = 2
        const val GROUNDING_SUPPORTS = 3
        const val SEARCH_ENTRY_POINT = 4
    }

    /** The kinds of grounding chunks. Each is an object; most have `uri` and `title`. */
    private object Chunk : JsonNames("web", "retrievedContext", "maps", "image") {
        const val WEB = 0
        const val RETRIEVED_CONTEXT = 1
        const val MAPS = 2
        const val IMAGE = 3
    }

    private companion object {
        val CITATIONS = JsonNames("citationSources", "citations")
    }
}
