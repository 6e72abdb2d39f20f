package dev.unifiedllm.demo

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.Price

/** The made-up price of the demo models. Reports show it, and no total includes it. */
internal val demoPrice: Price = Price.Builder().inputPerMillion(Usd.of("1")).outputPerMillion(Usd.of("2")).perImage(Usd.of("0.01")).build(DemoModel.PROVIDER)
