package dev.unifiedllm.security

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import java.io.File

/** Keys as providers issue them, in their full length: the keys of tests and documents are shorter, or say that they are none. */
private val KEYS = listOf(
    "sk-(?:proj|ant|or)-[A-Za-z0-9_-]{32,}",
    "\\bsk-[A-Za-z0-9]{40,}",
    "\\bgsk_[A-Za-z0-9]{40,}",
    "\\bAIza[A-Za-z0-9_-]{35}",
    "\\bA[KS]IA[A-Z0-9]{16}\\b",
    "\\bxox[abprs]-[0-9]{6,}",
    "\\bgh[pousr]_[A-Za-z0-9]{36}",
    "\\bgithub_pat_[A-Za-z0-9_]{50,}",
    "\\bhf_[A-Za-z0-9]{30,}",
    "\\br8_[A-Za-z0-9]{30,}",
    "\\bya29\\.[A-Za-z0-9_-]{50,}",
    "\\beyJ[A-Za-z0-9_-]{20,}\\.eyJ[A-Za-z0-9_-]{20,}\\.[A-Za-z0-9_-]{20,}",
    "-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\s|\\\\n)+[A-Za-z0-9+/]{40,}",
).joinToString("|").toRegex()

/** The key id of AWS's documents. */
private const val EXAMPLE = "AKIAIOSFODNN7EXAMPLE"
private const val MAX_BYTES = 8L * 1024 * 1024
private val GENERATED = setOf(".git", "target", ".kotlin", ".idea", "node_modules", "__pycache__", ".ipynb_checkpoints")

class CommittedKeysSpec : FunSpec({
    test("a key is found in each form") {
        val letters = "0aA".repeat(40)
        val short = listOf("AIza${letters.take(35)}", "AKIA${"A0".repeat(8)}", "ghp_${letters.take(36)}")
        for (key in short + listOf("sk-proj-", "sk-", "gsk_", "ya29.").map { it + letters }) {
            KEYS.containsMatchIn("the key $key stands here") shouldBe true
        }
        KEYS.containsMatchIn("sk-test-0123456789abcdef and sk-… and AIza and eyJ") shouldBe false
    }

    test("no file of the repository has a key in it") {
        val files = File("..").walk().onEnter { it.name !in GENERATED }.filter { it.isFile && it.length() in 1..MAX_BYTES }.toList()
        files.size shouldBeGreaterThan 1000
        val found = files.filter { file -> KEYS.findAll(file.readText(Charsets.ISO_8859_1)).any { it.value != EXAMPLE } }
        found.map { it.path }.shouldBeEmpty()
    }
})
