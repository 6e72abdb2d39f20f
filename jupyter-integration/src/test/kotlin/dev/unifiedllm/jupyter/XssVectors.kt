package dev.unifiedllm.jupyter

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json

@Serializable
internal data class Vector(val id: String, @SerialName("class") val kind: String, val input: String, val required: String) {
    /** The beginnings of the text, as a stream brings them; the whole text is the last. */
    val prefixes: List<String> get() = input.indices.map { input.take(it + 1) }
}

@Serializable
private data class Vectors(val vectors: List<Vector>)

private val json = Json { ignoreUnknownKeys = true }

private fun read(file: String): List<Vector> = json.decodeFromString<Vectors>(XssVectors::class.java.getResource(file)!!.readText()).vectors

private object XssVectors

/** Those of the list that other projects use as well. */
internal val vectors: List<Vector> by lazy { read("/xss-vectors.json") }

/** Those, and what is special to this renderer: its elements, its classes, its Markdown. */
internal val allVectors: List<Vector> by lazy { vectors + read("/xss-more.json") }
