package dev.unifiedllm.demo

import dev.unifiedllm.chat.usd
import dev.unifiedllm.pricing.Price

/** What the demo models would cost if they cost anything: shown, and kept out of every total. */
internal val demoPrice: Price = Price.Builder().inputPerMillion(1.usd).outputPerMillion(2.usd).build(DemoModel.PROVIDER)
