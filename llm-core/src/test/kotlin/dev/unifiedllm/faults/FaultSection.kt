package dev.unifiedllm.faults

import dev.unifiedllm.chat.Delivery
import io.kotest.core.spec.style.FunSpec
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentSkipListSet

/** How a number of the list of faults is covered. */
internal sealed class Registration(val number: Int) {
    /** A test of its own, once for each of [wires] and [deliveries]; once only if there are no wires. */
    class Run(
        number: Int,
        val title: String,
        val wires: List<Wire>,
        val deliveries: List<Delivery>,
        val test: suspend FaultRun.() -> Unit,
    ) : Registration(number) {
        /** What calls gave, by the outcome: the wires and deliveries. */
        val outcomes: MutableMap<String, MutableSet<String>> = ConcurrentHashMap()

        fun record(outcome: String, where: String) {
            outcomes.getOrPut(outcome) { ConcurrentSkipListSet() } += where
        }
    }

    /** Another spec tests it: its source names the number as `fault 13` or in `faults 13, 15`. @param spec the full name of the class */
    class See(number: Int, val spec: String) : Registration(number)

    /** It belongs to a later part of the project. @param part `Money` */
    class Theirs(number: Int, val part: String, val reason: String) : Registration(number)

    /** A client on JDK 17 cannot show it. */
    class Engine(number: Int, val proof: String) : Registration(number)
}

internal val BOTH: List<Delivery> = listOf(Delivery.STREAM, Delivery.WHOLE)
internal val STREAM: List<Delivery> = listOf(Delivery.STREAM)
internal val WHOLE: List<Delivery> = listOf(Delivery.WHOLE)

/** The faults of one letter of the list, or a part of them. An object whose initializer registers them, so that they can be listed without being run. */
internal abstract class FaultSection(val name: String) {
    private val all = mutableListOf<Registration>()

    val registrations: List<Registration> get() = all

    /** Tests fault [number] on [wires]. A number may have several tests, with different titles. */
    protected fun fault(
        number: Int,
        title: String,
        wires: List<Wire> = Wire.all,
        deliveries: List<Delivery> = BOTH,
        test: suspend FaultRun.() -> Unit,
    ) {
        all += Registration.Run(number, title, wires, deliveries, test)
    }

    /** Tests fault [number] once, on OpenAI's wire: it has nothing to do with wires. */
    protected fun faultOnce(number: Int, title: String, deliveries: List<Delivery> = STREAM, test: suspend FaultRun.() -> Unit): Unit =
        fault(number, title, listOf(Wire.named("openai-chat")), deliveries, test)

    protected fun seeSpec(number: Int, spec: String) {
        all += Registration.See(number, spec)
    }

    protected fun theirs(number: Int, part: String, reason: String) {
        all += Registration.Theirs(number, part, reason)
    }

    protected fun engine(number: Int, proof: String) {
        all += Registration.Engine(number, proof)
    }

    override fun toString(): String = name
}

/** Runs the faults of [section], and prints what came out. */
internal abstract class FaultSectionSpec(section: FaultSection) : FunSpec({
    for (run in section.registrations.filterIsInstance<Registration.Run>()) {
        context("fault ${run.number}: ${run.title}") {
            for (wire in run.wires) {
                for (delivery in run.deliveries) {
                    test("$wire, ${delivery.name.lowercase()}") { run.test(FaultRun(run, wire, delivery)) }
                }
            }
        }
    }

    afterSpec { for (run in section.registrations.filterIsInstance<Registration.Run>()) println("faults: ${row(run)}") }
})

private fun row(run: Registration.Run): String {
    val outcomes = run.outcomes.entries.sortedByDescending { it.value.size }.joinToString("; ") { (outcome, where) ->
        "$outcome (${if (where.size > FEW) "${where.size} runs" else where.joinToString()})"
    }
    return "${run.number} ${run.title}: $outcomes"
}

private const val FEW = 2
