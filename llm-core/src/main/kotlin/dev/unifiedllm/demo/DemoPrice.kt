package dev.unifiedllm.demo

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.Price

/** What the demo models would cost if they cost anything: shown, and kept out of every total. */
internal val demoPrice: Price = Price.Builder().inputPerMillion(Usd.of("1")).outputPerMillion(Usd.of("2")).build(DemoModel.PROVIDER)
