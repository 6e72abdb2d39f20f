package dev.unifiedllm.chat

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import java.math.BigDecimal

class UsdSpec : FunSpec({
    test("amounts are exact") {
        Usd.of("0.1") + Usd.of("0.2") shouldBe Usd.of("0.3")
        Usd.of(BigDecimal("1.23")) shouldBe Usd.of("1.23")
        (1..1_000).fold(Usd.ZERO) { sum, _ -> sum + Usd.of("0.001") } shouldBe Usd.of("1")
    }

    test("equal amounts are equal, however many zeros they end with") {
        Usd.of("1.50") shouldBe Usd.of("1.5")
        Usd.of("1.50").hashCode() shouldBe Usd.of("1.5").hashCode()
        Usd.of("100").hashCode() shouldBe Usd.of("1e2").hashCode()
        Usd.of("0.00").hashCode() shouldBe Usd.ZERO.hashCode()
        setOf(1.usd, Usd.of("1.00")).size shouldBe 1
        (1.usd < 1.01.usd) shouldBe true
        1.usd - 3.usd shouldBe Usd.of("-2")
        0.25.usd * 3 shouldBe 0.75.usd
    }

    test("what is no number is refused") {
        for (number in listOf("NaN", "Infinity")) shouldThrow<NumberFormatException> { Usd.of(number) }
        shouldThrow<NumberFormatException> { Usd.of("five") }
        shouldThrow<NumberFormatException> { Usd.of("") }
    }

    context("in full, and for people") {
        withData<Triple<String, String, String>>(
            { it.first },
            Triple("0", "$0.00", "$0.00"),
            Triple("0.000", "$0.00", "$0.00"),
            Triple("5", "$5.00", "$5.00"),
            Triple("1.5", "$1.50", "$1.50"),
            Triple("1234567.891", "$1234567.891", "$1234567.89"),
            Triple("1e3", "$1000.00", "$1000.00"),
            Triple("0.05", "$0.05", "$0.0500"),
            Triple("0.0123456", "$0.0123456", "$0.0123"),
            Triple("0.000004153", "$0.000004153", "$0.00000415"),
            Triple("0.5", "$0.50", "$0.500"),
            Triple("0.999999", "$0.999999", "$1.000"),
            Triple("-0.0123456", "-$0.0123456", "-$0.0123"),
            Triple("-2", "-$2.00", "-$2.00"),
        ) { (amount, full, shown) ->
            "${Usd.of(amount)}" shouldBe full
            Usd.of(amount).toDisplayString() shouldBe shown
        }
    }
})
