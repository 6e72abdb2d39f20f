package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

class SwitchesSpec : FunSpec({
    fun environment(value: String?) = Environment { name -> value.takeIf { name == "SWITCH" } }

    context("a switch is on or off by the words that people use") {
        withData(
            nameFn = { "\"${it.first}\" is ${it.second}" },
            listOf("true", "TRUE", "True", "yes", "on", "1", " true\n").map { it to true } +
                listOf("false", "False", "no", "off", "0").map { it to false } + listOf(null, "", "  ").map { it to null },
        ) { (text, expected) -> environment(text).flag("SWITCH") shouldBe expected }
    }

    context("another value of a switch is an error that names the variable") {
        withData("2", "ture", "enabled", "t", "-1", "null") { text ->
            shouldThrow<LlmException.Configuration> { environment(text).flag("SWITCH") }.message shouldBe
                "The variable SWITCH must be true or false but is \"$text\". Correct it or unset it."
        }
    }

    context("a number is positive and finite") {
        withData(mapOf("300" to 300.0, "2.5" to 2.5, "0.001" to 0.001, " 7 " to 7.0, "5." to 5.0).toList()) { (text, expected) ->
            environment(text).positiveNumber("SWITCH") shouldBe expected
        }
        withData("0", "0.0", "-1", "NaN", "Infinity", "1e400", "1e3", "0x10", "10 s", "1,5", "30d", "٣") { text ->
            shouldThrow<LlmException.Configuration> { environment(text).positiveNumber("SWITCH") }.message shouldContain
                "The variable SWITCH must be a positive number"
        }
    }

    test("a variable that other programs read, too, is a switch only if its value is one") {
        environment("true").sharedFlag("SWITCH") shouldBe true
        environment("0").sharedFlag("SWITCH") shouldBe false
        for (text in listOf(null, "app:*", "express")) environment(text).sharedFlag("SWITCH") shouldBe null
    }

    context("a count is a whole number") {
        withData("0" to 0, "3" to 3, "2147483647" to Int.MAX_VALUE) { (text, expected) -> environment(text).count("SWITCH", min = 0) shouldBe expected }
        withData("-1", "1.5", "2147483648", "+3", "three", "٣") { text ->
            shouldThrow<LlmException.Configuration> { environment(text).count("SWITCH", min = 0) }.message shouldContain "a whole number, 0 or more"
        }
        shouldThrow<LlmException.Configuration> { environment("0").count("SWITCH") }.message shouldContain "a positive number"
    }

    test("a long value, which may be a key, is not shown") {
        val key = "sk-test-0123456789abcdef"
        val message = shouldThrow<LlmException.Configuration> { environment(key).flag("SWITCH") }.message!!
        message shouldNotContain key
        message shouldContain "is something else"
    }
})
