package dev.unifiedllm.provider

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe

class EnvironmentSpec : FunSpec({
    val environment = Environment(mapOf("A" to " a\n", "B" to "b", "EMPTY" to "", "BLANK" to " \t")::get)

    test("values are trimmed, and an empty value is absent") {
        environment["A"] shouldBe "a"
        for (name in listOf("EMPTY", "BLANK", "MISSING")) environment[name] shouldBe null
    }

    test("the first variable with a value is found, with its name") {
        val variable = environment.first(listOf("MISSING", "EMPTY", "BLANK", "B", "A"))!!
        variable.name shouldBe "B"
        variable.value shouldBe "b"
        variable.toString() shouldBe "B"
        environment.first(listOf("MISSING", "EMPTY")) shouldBe null
        environment.first(emptyList()) shouldBe null
    }

    test("a variable is empty if it exists without a value") {
        listOf("EMPTY", "BLANK", "A", "MISSING").map(environment::isEmpty) shouldBe listOf(true, true, false, false)
    }
})
