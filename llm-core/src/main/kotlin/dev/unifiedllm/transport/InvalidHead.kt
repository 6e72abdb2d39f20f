package dev.unifiedllm.transport

import java.net.http.HttpHeaders

/** What is wrong in the [headers] of a response, which the JDK's client accepts; null if nothing is. */
internal fun invalidHead(headers: HttpHeaders): String? {
    val map = headers.map()
    val lengths = map[LENGTH]?.map(String::trim)?.distinct().orEmpty()
    return when {
        lengths.any { it.toLongOrNull() == null || it.startsWith('-') } -> "an invalid Content-Length, \"${lengths.first().take(MAX_SHOWN)}\""
        lengths.size > 1 -> "it has the Content-Lengths ${lengths.take(SHOWN).joinToString { it.take(MAX_SHOWN) }}"
        lengths.isNotEmpty() && ENCODING in map -> "it has both Content-Length and Transfer-Encoding"
        map.size > MAX_HEADERS || map.values.sumOf { it.size } > MAX_HEADERS -> "it has more than $MAX_HEADERS headers"
        map.entries.sumOf { (name, values) -> values.sumOf { name.length + it.length } } > MAX_BYTES -> "its headers are larger than $MAX_BYTES bytes"
        else -> null
    }
}

private const val LENGTH = "content-length"
private const val ENCODING = "transfer-encoding"
private const val MAX_HEADERS = 1_000
private const val SHOWN = 3
private const val MAX_SHOWN = 20

/** The JDK's own limit, jdk.http.maxHeaderSize, where it has one. */
private const val MAX_BYTES = 384 * 1024
