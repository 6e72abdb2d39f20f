package dev.unifiedllm.dsl

import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.chat.RoutingStrategy
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlin.time.Duration.Companion.seconds

class GroupsSpec : FunSpec({
    test("a group of the DSL is that of core") {
        val group: Model = group("all") {
            target("demo/echo") { weight = 2 }
            target("demo/echo")
            strategy = RoutingStrategy.LEAST_BUSY
            cooldown = 10.seconds
        }
        group.toString() shouldBe Models.group("all") { target("demo/echo").target("demo/echo") }.toString()
        llm { environment { null } }.use { it.chat(group, "hi").get().model.toString() shouldBe "demo/echo" }
    }

    test("a hedge takes names and models") {
        llm { environment { null } }.use { llm ->
            llm.chat(hedge(5.seconds, "demo/echo", "demo/storyteller"), "hi").get().model.toString() shouldBe "demo/echo"
            llm.chat(hedge(5.seconds, simple { it.uppercase() }, model("demo/echo")), "hi").get().text shouldBe "HI"
        }
    }

    test("a task has its model") {
        val llm = llm {
            environment { null }
            route { task("repeat", "demo/echo") }
        }
        llm.use {
            it.chat {
                task = "repeat"
                user("hi")
            }.get().model.toString() shouldBe "demo/echo"
        }
    }
})
