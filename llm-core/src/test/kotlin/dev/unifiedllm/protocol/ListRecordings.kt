package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.protocol.json.tokens
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.int
import kotlinx.serialization.json.longOrNull
import java.math.BigDecimal
import java.security.MessageDigest

/** Perplexity's vectors are signed bytes (docs.perplexity.ai/api-reference/embeddings-post); the expectation counts four of them as one float. */
private val Recording.areBytes: Boolean get() = host == "api.perplexity.ai"

/** Checks vectors: their number, lengths and values, in the order of the inputs; the tokens, the cost and the model. */
internal fun Recording.checkVectors(answer: Answer) {
    answer.failure shouldBe null
    answer.checkGrammar()
    val json = Json.parseToJsonElement(body.decodeToString())
    // Ollama's wire has a plain list.
    val sent = json["embeddings"]?.items() ?: json["data"].items().sortedBy { (it["index"] as? JsonPrimitive)?.int ?: 0 }.map { it["embedding"]!! }
    val vectors = answer.deltas.filterIsInstance<Delta.Embedding>()
    vectors.map { it.index } shouldBe sent.indices.toList()
    vectors shouldHaveSize (expected["count"] as JsonPrimitive).int
    vectors.size shouldBeGreaterThan 0
    vectors.forEachIndexed { index, delta -> withClue("vector $index") { checkVector(delta.vector, sent[index], expected["vectors"].items()[index]) } }
    checkTotals(answer, count("prompt_tokens", "prompt_eval_count")?.let { Usage.of(it, 0) })
    expected["model"].text?.let { answer.response.reportedModel shouldBe it }
    answer.response.warnings.size shouldBe if (answer.response.usage == null) 1 else 0
}

private fun Recording.checkVector(vector: FloatArray, sent: JsonElement, want: JsonElement) {
    vector.size shouldBe (want["dims"] as JsonPrimitive).int * if (areBytes) Float.SIZE_BYTES else 1
    val bytes = (sent as? JsonPrimitive)?.content?.let(::fromBase64)
    vector.toList() shouldBe when {
        bytes == null -> sent.items().map { it.text!!.toFloat() }
        areBytes -> bytes.map { (if (it > Byte.MAX_VALUE) it - (1 shl Byte.SIZE_BITS) else it).toFloat() }
        else -> bytes.chunked(Float.SIZE_BYTES) { (a, b, c, d) -> Float.fromBits(a or (b shl 8) or (c shl 16) or (d shl 24)) }
    }
    want["first"]?.let { first -> vector.take(first.items().size) shouldBe first.items().map { it.text!!.toFloat() } }
    want["last"].text?.let { vector.last() shouldBe it.toFloat() }
}

private const val ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** Base64 as RFC 4648 defines it: four letters of six bits are three bytes, here from 0 to 255. */
private fun fromBase64(text: String): List<Int> = text.trimEnd('=').chunked(4).flatMap { letters ->
    val bits = letters.fold(0) { all, letter -> (all shl 6) or ALPHABET.indexOf(letter) } shl 6 * (4 - letters.length)
    listOf(bits shr 16 and 0xFF, bits shr 8 and 0xFF, bits and 0xFF).take(letters.length * 6 / 8)
}

/** Checks images: their URLs or bytes, their types, the tokens and the cost. */
internal fun Recording.checkImages(answer: Answer) {
    answer.failure shouldBe null
    answer.checkGrammar()
    val items = expected["items"].items()
    val format = Json.parseToJsonElement(body.decodeToString())["output_format"].text
    val images = answer.deltas.filterIsInstance<Delta.Media>()
    images shouldHaveSize (expected["count"] as JsonPrimitive).int
    images.size shouldBeGreaterThan 0
    images.zip(items) { image, item ->
        val type = item["mime_type"].text ?: format?.let { "image/$it" } ?: typeSeen(item, image)
        withClue("type") { image.mediaType shouldBe type }
        item["url"]?.let { isSame(image.url, it) }
        if (item["url"] == null) {
            image.url.substringBefore(',') shouldBe "data:$type;base64"
            isSame(image.url.substringAfter(','), item["b64_json"]!!)
        }
    }
    checkTotals(answer, imageUsage())
    answer.response.warnings shouldBe items.mapNotNull { it["revised_prompt"].text }.distinct().map { "the provider changed the prompt: $it" }
}

private fun typeSeen(item: JsonElement, image: Delta.Media): String = when {
    item["url"] == null -> when (fromBase64(image.url.substringAfter(',').take(4)).first()) {
        0x89 -> "image/png"
        0xFF -> "image/jpeg"
        'R'.code -> "image/webp"
        else -> "image/*"
    }
    Regex("""\.png(\?|$)""").containsMatchIn(image.url) -> "image/png"
    Regex("""\.jpe?g(\?|$)""").containsMatchIn(image.url) -> "image/jpeg"
    Regex("""\.webp(\?|$)""").containsMatchIn(image.url) -> "image/webp"
    else -> "image/*"
}

/** The expectation has the length and the hash of a long text. */
private fun isSame(text: String, want: JsonElement) {
    if (want !is JsonObject) {
        text shouldBe want.text
        return
    }
    text.length shouldBe (want["chars"] as JsonPrimitive).int
    MessageDigest.getInstance("SHA-256").digest(text.encodeToByteArray()).joinToString("") { "%02x".format(it) } shouldBe want["sha256"].text
}

private fun Recording.imageUsage(): Usage? {
    val sent = count("input_tokens", "prompt_tokens") ?: return null
    return Usage.build {
        inputTokens = sent
        outputTokens = count("output_tokens", "completion_tokens")
        imageTokens = (expected["usage"]["output_tokens_details"]["image_tokens"] as? JsonPrimitive)?.longOrNull ?: outputTokens
        cacheReadTokens = (expected["usage"]["input_tokens_details"]["cached_tokens"] as? JsonPrimitive)?.longOrNull
    }
}

private fun Recording.count(vararg names: String): Long? = names.firstNotNullOfOrNull { (expected["usage"][it] as? JsonPrimitive)?.longOrNull }

private fun Recording.checkTotals(answer: Answer, usage: Usage?) {
    answer.response.usage shouldBe usage
    val billed = expected["usage"]["cost"].text?.toBigDecimal()
        ?: expected["usage"]["cost"]["total_cost"].text?.toBigDecimal()
        ?: expected["usage"]["cost_in_usd_ticks"].text?.toBigDecimal()?.movePointLeft(10)
    // Only a row states which field is the billed cost.
    if (billed == null || billed <= BigDecimal.ZERO || target().provider.source == null) return
    answer.response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of(billed)
}
