package dev.unifiedllm.jupyter

/**
 * Escapes [text] for HTML, for the content of elements and for attributes in double quotes.
 *
 * Characters that hide or reorder text (bidirectional overrides, tags, controls) are replaced by their code point in visible form. NUL and unpaired
 * surrogates become U+FFFD.
 */
internal fun escape(text: String): String {
    val html = StringBuilder(text.length + text.length / 8)
    var index = 0
    while (index < text.length) {
        val point = text.codePointAt(index)
        index += Character.charCount(point)
        when {
            point == '&'.code -> html.append("&amp;")
            point == '<'.code -> html.append("&lt;")
            point == '>'.code -> html.append("&gt;")
            point == '"'.code -> html.append("&quot;")
            point == '\''.code -> html.append("&#39;")
            point == 0 || point in SURROGATES -> html.append('\uFFFD')
            isDeceptive(point) -> html.append(visible(point))
            else -> html.appendCodePoint(point)
        }
    }
    return html.toString()
}

/** Replaces characters of [text] as [escape] does, but escapes no markup: for plain text, and for HTML that is escaped already. */
internal fun reveal(text: String): String {
    if (text.codePoints().noneMatch { it == 0 || it in SURROGATES || isDeceptive(it) }) return text
    return buildString(text.length) {
        text.codePoints().forEach { point ->
            when {
                point == 0 || point in SURROGATES -> append('\uFFFD')
                isDeceptive(point) -> append(visible(point))
                else -> appendCodePoint(point)
            }
        }
    }
}

private val SURROGATES = 0xD800..0xDFFF
private val DELETE_AND_C1 = 0x7F..0x9F
private val BIDI = setOf(0x202A..0x202E, 0x2066..0x2069)
private val TAGS = 0xE0000..0xE007F

private fun isDeceptive(point: Int): Boolean = when (point) {
    '\t'.code, '\n'.code, '\r'.code -> false
    else -> point < ' '.code || point in DELETE_AND_C1 || BIDI.any { point in it } || point in TAGS
}

private fun visible(point: Int) = "⟨U+%04X⟩".format(point)
