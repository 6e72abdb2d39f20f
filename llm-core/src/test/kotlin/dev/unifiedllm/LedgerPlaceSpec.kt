package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.nio.file.Files
import java.nio.file.Path

class LedgerPlaceSpec : FunSpec({
    val folder = Files.createTempDirectory("places")
    afterSpec { folder.toFile().deleteRecursively() }

    test("the folder is that of the platform, unless XDG_DATA_HOME names one") {
        val none = Environment { null }
        dataFolder(none, "Linux", "/home/me") shouldBe Path.of("/home/me/.local/share/unified-llm")
        dataFolder(none, "Mac OS X", "/Users/me") shouldBe Path.of("/Users/me/Library/Application Support/unified-llm")
        dataFolder(Environment { name -> "/data".takeIf { name == "XDG_DATA_HOME" } }, "Linux", "/home/me") shouldBe Path.of("/data/unified-llm")
    }

    test("on Windows it is that of LOCALAPPDATA") {
        val path = "C:/Users/me/AppData/Local"
        dataFolder(Environment { name -> path.takeIf { name == "LOCALAPPDATA" } }, "Windows 11", "C:/Users/me") shouldBe Path.of(path, "unified-llm")
    }

    test("the notebook is the file that Jupyter names") {
        notebook(Environment { name -> "/folder/costs.ipynb".takeIf { name == "JPY_SESSION_NAME" } }) shouldBe "costs.ipynb"
        notebook(Environment { null }).shouldBeNull()
    }

    test("without a word costs are in memory") {
        client { environment { null } }.use { llm ->
            llm.client.ledger.lasting.shouldBeNull()
            llm.doctor().await().single { it.subject == "ledger" }.finding shouldContain "in memory"
        }
    }

    test("the variable says where, and the code goes before it") {
        val byVariable = folder.resolve("variable.db")
        val byCode = folder.resolve("code.db")
        fun place(name: String) = "$byVariable".takeIf { name == "UNIFIED_LLM_LEDGER" }
        client { environment(::place) }.use { it.client.ledger.lasting?.place shouldBe "$byVariable" }
        client { environment(::place).ledger(byCode) }.use { it.client.ledger.lasting?.place shouldBe "$byCode" }
        client { environment(::place).ledger("off") }.use { it.client.ledger.lasting.shouldBeNull() }
        client { environment { name -> "on".takeIf { name == "UNIFIED_LLM_LEDGER" } ?: "$folder".takeIf { name == "XDG_DATA_HOME" } } }.use {
            it.client.ledger.lasting?.place shouldBe "${folder.resolve("unified-llm/ledger.db")}"
        }
    }

    test("another database is refused when the client is built") {
        shouldThrow<LlmException.Configuration> { client { ledger("mysql://me:secret@host/x") } }.message shouldNotContain "secret"
    }

    test("costs of some days have the calls of all clients of the ledger, and of earlier processes; costs() has its own") {
        val file = folder.resolve("shared.db")
        val one = client { ledger(file) }
        val other = client { ledger(file) }
        one.chat("demo/echo") {
            user("a")
            task = "t"
            tag("x", "y")
        }.await()
        other.chat("demo/echo") { user("b") }.await()
        other.costs().single().calls shouldBe 1
        val report = other.costs(7)
        report.single().calls shouldBe 2
        report.title shouldContain "$file"
        report.ledger shouldBe "$file"
        report.ledgerProblem.shouldBeNull()
        other.costs().ledger.shouldBeNull()
        other.costs(By.TAG, 7).map { it.name } shouldContain "x"
        other.costs(By.SESSION, 7).map { it.name } shouldContainExactly listOf(SESSION_ID)
        other.usage(7).single().calls shouldBe 2
        other.doctor().await().single { it.subject == "ledger" }.finding shouldBe "costs are kept in $file"
        report.times().single().calls shouldBe 2
        listOf(one, other).forEach(Llm::close)
    }

    test("a ledger that cannot be written fails no call: the next response has a warning, and the costs are counted") {
        val blocked = Files.createFile(folder.resolve("blocked"))
        client { ledger(blocked.resolve("ledger.db")) }.use { llm ->
            llm.chat("demo/echo", "a").await().cost::class shouldBe Cost.Known::class
            llm.client.ledger.lasting?.flush()
            llm.chat("demo/echo", "b").await().warnings.single() shouldContain "cannot be made"
            llm.chat("demo/echo", "c").await().warnings shouldHaveSize 0
            llm.costs().single().calls shouldBe 3
            llm.costs(1).single().calls shouldBe 3
            llm.costs(1).title shouldContain "this client (not of other processes: "
            llm.costs(1).ledger.shouldBeNull()
            for (report in listOf(llm.costs(), llm.costs(1))) report.ledgerProblem shouldContain "3 calls are not in the ledger"
            llm.doctor().await().single { it.subject == "ledger" }.let {
                it.status shouldBe CheckStatus.WARNING
                it.finding shouldContain "3 calls are not in the ledger"
            }
        }
    }

    test("the summary has sums, a block by provider and one by model, and no demo models") {
        client {
            price("own/a") {
                inputPerMillion = dev.unifiedllm.chat.Usd.of("1")
                outputPerMillion = dev.unifiedllm.chat.Usd.of("2")
            }
        }.use { llm ->
            llm.chat("demo/echo", "a").await()
            llm.chat(saying("own/a", "hello"), "hi").await()
            val text = llm.costs().summary()
            text shouldContain "Total cost: $"
            text shouldContain "By provider:\n  own: "
            text shouldContain "By model:\n  own/a: "
            text shouldNotContain "demo"
        }
    }
})
