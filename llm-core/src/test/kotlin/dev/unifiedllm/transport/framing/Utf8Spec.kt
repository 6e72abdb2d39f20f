package dev.unifiedllm.transport.framing

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import java.util.HexFormat

class Utf8Spec : FunSpec({
    context("a malformed sequence becomes one U+FFFD for each maximal part") {
        withData<Pair<String, String>>(
            { (hex, _) -> hex },
            "61eda08062" to "a\uFFFD\uFFFD\uFFFDb",
            "f09f9861" to "\uFFFDa",
            "f09f98" to "\uFFFD",
            "e282e282ac" to "\uFFFD€",
            "f08080c3a9" to "\uFFFD\uFFFD\uFFFDé",
            "f4908080" to "\uFFFD\uFFFD\uFFFD\uFFFD",
            "c1bf" to "\uFFFD\uFFFD",
            "ff00f09f9880" to "\uFFFD\u0000😀",
            "efbfbdc3a9e282acf09f9880" to "\uFFFDé€😀",
            "efbbbf80" to "\uFEFF\uFFFD",
        ) { (hex, text) ->
            val bytes = HexFormat.of().parseHex("21$hex" + "21")
            utf8(bytes, 1, bytes.size - 1) shouldBe text
        }
    }
})
