package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.time.Instant
import java.time.ZoneOffset
import kotlin.time.Duration.Companion.seconds

private fun row(model: ModelId, cost: Cost?, status: Status = Status.DONE, task: String? = null) =
    LedgerRow("c", model, Instant.parse("2026-01-01T12:00:00Z"), status, Usage.of(10, 5), cost, 1.seconds, null, task, emptyList())

private fun report(by: By, vararg rows: LedgerRow) = costReport(rows.toList(), by, ZoneOffset.UTC)

class CostExportSpec : FunSpec({
    val report = report(
        By.MODEL,
        row(ModelId("openai", "gpt-4o"), Cost.Known(Usd.of("0.0000001"), "test")),
        row(ModelId("nobody", "knows"), Cost.Unknown("?")),
        row(ModelId("ollama", "a"), Cost.Free),
        row(ModelId("demo", "echo"), Cost.Known(Usd.of("9"), "demo")),
    )

    test("CSV has a line for each row; amounts are exact, an unknown one is empty") {
        report.toCsv().split("\r\n") shouldContainExactly listOf(
            "model,calls,failed,cancelled,input_tokens,cache_read_tokens,output_tokens,cost_usd,unpriced_calls,is_free,is_local,is_demo," +
                "cached_calls,saved_usd,average_usd,success_rate",
            "openai/gpt-4o,1,0,0,10,0,5,0.0000001,0,false,false,false,0,0,0.0000001,1.0",
            "nobody/knows,1,0,0,10,0,5,,1,false,false,false,0,0,,1.0",
            "ollama/a,1,0,0,10,0,5,0,0,true,false,false,0,0,0,1.0",
            "demo/echo,1,0,0,10,0,5,9,0,false,false,true,0,0,9,1.0",
            "",
        )
    }

    test("JSON has the numbers of the report, exactly") {
        val json = Json.parseToJsonElement(report.toJson()).jsonObject
        json.getValue("title").jsonPrimitive.content shouldBe report.title
        json.getValue("days").jsonPrimitive.content shouldBe "null"
        json.getValue("total_usd").jsonPrimitive.content shouldBe "0.0000001"
        json.getValue("demo_total_usd").jsonPrimitive.content shouldBe "9"
        json.getValue("unpriced_calls").jsonPrimitive.content shouldBe "1"
        val rows = (json.getValue("rows") as JsonArray).map(JsonObject::class.java::cast)
        rows.map { it.getValue("model").jsonPrimitive.content } shouldContainExactly report.map { it.name }
        rows.map { it.getValue("cost_usd").jsonPrimitive.content } shouldContainExactly listOf("0.0000001", "null", "0", "9")
        rows[0].getValue("cost_usd").jsonPrimitive.isString shouldBe false
        report.toJson().contains("E-") shouldBe false
    }

    // fault 205
    context("no name is a formula in a spreadsheet, and none is divided:") {
        withData(
            nameFn = { (name, _) -> name.replace("\n", "\\n").replace("\t", "\\t") },
            "=1+1" to "\"'=1+1\"",
            "+1" to "\"'+1\"",
            "-1" to "\"'-1\"",
            "@SUM(A1)" to "\"'@SUM(A1)\"",
            "  =1+1" to "\"'  =1+1\"",
            "\t=1" to "\"'\t=1\"",
            "\n=1" to "\"'\n=1\"",
            "\uFF1D1+1" to "\"'\uFF1D1+1\"",
            "a;=1" to "\"a;=1\"",
            "a,b" to "\"a,b\"",
            "say \"hi\"" to "\"say \"\"hi\"\"\"",
            "a\nb" to "\"a\nb\"",
            "plain text 1.5" to "plain text 1.5",
        ) { (name, field) ->
            val csv = report(By.TASK, row(ModelId("a", "b"), null, task = name)).toCsv()
            csv.substringAfter("\r\n").substringBefore(",1,0,0,10,0,5,0,0,false,false,false,0,0,0,1.0\r\n") shouldBe field
        }
    }
})
