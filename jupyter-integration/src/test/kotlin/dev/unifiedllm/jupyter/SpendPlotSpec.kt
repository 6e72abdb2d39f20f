package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.doubles.plusOrMinus
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import org.w3c.dom.Document
import org.w3c.dom.Element
import java.util.Base64
import javax.xml.parsers.DocumentBuilderFactory

private fun client(vararg names: String) = Llm.builder().environment { null }.apply {
    for (name in names) {
        price("paid/$name") {
            inputPerMillion = Usd.of("1")
            outputPerMillion = Usd.of("2")
        }
    }
}.build()

private suspend fun Llm.ask(name: String, tokens: Long) {
    chat(FakeModel(ModelId("paid", name)) { emit(finish(Usage.of(tokens, 0))) }, "?").await()
}

private fun svg(plot: SpendPlot): Document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(plot.svg.byteInputStream())

private fun Document.all(tag: String): List<Element> = getElementsByTagName(tag).let { nodes -> List(nodes.length) { nodes.item(it) as Element } }

private fun Document.heights(): Map<String, Double> = all("rect").filter { it.hasAttribute("fill") && it.getAttribute("height") != "11" }
    .groupBy({ it.getAttribute("fill") }, { it.getAttribute("height").toDouble() }).mapValues { it.value.sum() }

class SpendPlotSpec : FunSpec({
    test("the picture is an image with a text for those who do not see it") {
        client("a", "b").use { llm ->
            llm.ask("a", 3_000_000)
            llm.ask("b", 1_000_000)
            val plot = llm.costs().plot()
            val rendered = reportTable(plot).shouldNotBeNull()
            val image = safe(rendered.html).all("img").single()
            image.attr("alt") shouldBe "Costs of this client, over time: $4.00 in all; paid/a $3.00; paid/b $1.00"
            Base64.getDecoder().decode(image.attr("src").removePrefix("data:image/svg+xml;base64,")).decodeToString() shouldBe plot.svg
            rendered.text shouldBe image.attr("alt")
        }
    }

    test("the bars are as long as the costs, and the legend has them") {
        client("a", "b").use { llm ->
            llm.ask("a", 3_000_000)
            llm.ask("b", 1_000_000)
            val document = svg(llm.costs(By.DAY).plot())
            val heights = document.heights()
            heights.getValue(SpendSvg.COLOURS[0]) / heights.getValue(SpendSvg.COLOURS[1]) shouldBe (3.0 plusOrMinus 0.01)
            document.all("text").map { it.textContent }.takeLast(2) shouldContainExactly listOf("paid/a $3.00", "paid/b $1.00")
            document.all("text").map { it.textContent } shouldContainExactly
                listOf("$0.00", "$1.00", "$2.00", "$3.00", "$4.00") + document.all("text").map { it.textContent }.drop(5)
        }
    }

    test("many models become six series, and no cost is lost") {
        val names = (1..9).map { "m$it" }.toTypedArray()
        client(*names).use { llm ->
            names.forEachIndexed { index, name -> llm.ask(name, (index + 1) * 1_000_000L) }
            val plot = llm.costs().plot()
            plot.spends shouldHaveSize SpendSvg.COLOURS.size
            plot.spends.last().model shouldBe "4 other models"
            plot.spends.fold(Usd.ZERO) { sum, spend -> sum + spend.total } shouldBe llm.totalCost
        }
    }

    test("demo models are drawn only if nothing else was spent, and said to be made up") {
        client("a").use { llm ->
            llm.chat("demo/echo") {
                user("hi")
                providerOptions { put("tokensPerSecond", 0) }
            }.await()
            reportTable(llm.costs().plot()).shouldNotBeNull().text shouldContain "made-up"
            llm.ask("a", 1_000_000)
            reportTable(llm.costs().plot()).shouldNotBeNull().text shouldNotContain "demo"
        }
    }

    test("without costs there is no picture") {
        client().use { llm ->
            val plot = llm.costs().plot()
            plot.svg shouldBe ""
            reportTable(plot).shouldNotBeNull().text shouldBe "Costs of this client: nothing was spent."
        }
    }

    test("names are escaped in the picture") {
        val name = "</text><script>alert(1)</script>&\"'"
        client(name).use { llm ->
            llm.ask(name, 1_000_000)
            val document = svg(llm.costs().plot())
            document.all("script") shouldHaveSize 0
            document.all("text").last().textContent shouldContain "<script>"
        }
    }
})
