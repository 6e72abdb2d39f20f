package dev.unifiedllm.jupyter

/**
 * A column of a table.
 *
 * @property leave how soon it gives way in a narrow output: 1 first, 3 last; 0: never
 * @property isText true for words, which are on the left and may be broken
 * @param isShort true for a word or a number on the left, which is not broken
 */
internal class Head(val title: String, val leave: Int = 0, val isText: Boolean = false, isShort: Boolean = false) {
    val attribute: String = listOfNotNull("ullm-$leave".takeIf { leave > 0 }, "ullm-words".takeIf { isText }, "ullm-short".takeIf { isShort })
        .let { if (it.isEmpty()) "" else " class=\"${it.joinToString(" ")}\"" } + if (isText || isShort) LEFT else ""
}

/** In the element, because a notebook that is not trusted has no style sheet, and JupyterLab's own rules put cells on the right. */
private const val LEFT = " style=\"text-align:left\""

/** @property cells HTML, one for each column */
internal class TableRow(val cells: List<String>, val isDemo: Boolean = false)

/** A table with a caption. The first cell of a row is its header. @param kind its class */
internal fun tableHtml(kind: String, caption: String?, heads: List<Head>, body: List<TableRow>, foot: List<TableRow> = emptyList()): String = buildString {
    append("<table class=\"$kind\">")
    if (caption != null) append("<caption>${escape(caption)}</caption>")
    append("<thead><tr>")
    heads.forEachIndexed { column, head -> append("<th scope=\"col\"${attributes(column, head)}>${head.title}</th>") }
    append("</tr></thead>")
    section("tbody", heads, body)
    if (foot.isNotEmpty()) section("tfoot", heads, foot)
    append("</table>")
}

private fun StringBuilder.section(name: String, heads: List<Head>, rows: List<TableRow>) {
    append("<$name>")
    for (row in rows) {
        append(if (row.isDemo) "<tr class=\"ullm-demo\">" else "<tr>")
        row.cells.forEachIndexed { column, cell ->
            val attributes = attributes(column, heads[column])
            append(if (column == 0) "<th scope=\"row\"$attributes>$cell</th>" else "<td$attributes>$cell</td>")
        }
        append("</tr>")
    }
    append("</$name>")
}

private fun attributes(column: Int, head: Head) = head.attribute + if (column == 0 && LEFT !in head.attribute) LEFT else ""

/** The output with [parts] below each other. [text] is its plain form. */
internal fun tableOutput(vararg parts: String, text: String): Rendered =
    Rendered("${style("table")}<div class=\"ullm-root ullm-table $NO_MATHEMATICS\">${parts.joinToString("")}</div>", reveal(text))

/** How many rows a table shows: a notebook file keeps its outputs. */
internal const val MAX_ROWS: Int = 500

/** What is said below a table with more than [MAX_ROWS] rows, each of which is one [noun]; null below another one. */
internal fun rest(rows: Int, noun: String): String? = if (rows <= MAX_ROWS) null else "${count(rows - MAX_ROWS, "more $noun")} not shown here."

/** A line below a table; nothing for null. @param text no HTML */
internal fun note(text: String?): String = if (text == null) "" else "<div class=\"ullm-note\">${escape(text)}</div>"

/** Lines that are shown when one opens [summary]. */
internal fun folded(summary: String, html: String): String = "<details><summary class=\"ullm-quiet\">${escape(summary)}</summary>$html</details>"

/** The share of [part], from 0 to 1, as a number and a bar, which front ends that strip styles leave out. */
internal fun share(part: Double): String {
    val percent = if (part > 0 && part < 0.01) "&lt; 1 %" else "${Math.round(part * 100)} %"
    return "$percent<span class=\"ullm-share\"><span style=\"width:${Math.round(part * 100).coerceIn(0, 100)}%\"></span></span>"
}

/** A link that saves [content] as a file. */
internal fun download(title: String, file: String, mediaType: String, content: String): String {
    val data = java.util.Base64.getEncoder().encodeToString(content.encodeToByteArray())
    return "<a download=\"${escape(file)}\" href=\"data:$mediaType;charset=utf-8;base64,$data\">${escape(title)}</a>"
}
