package dev.unifiedllm.telemetry

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Level
import dev.unifiedllm.Llm
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.client
import dev.unifiedllm.says
import dev.unifiedllm.transport.Transport
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.withContext
import org.slf4j.ILoggerFactory
import org.slf4j.IMarkerFactory
import org.slf4j.MDC
import org.slf4j.helpers.BasicMarkerFactory
import org.slf4j.helpers.NOPLoggerFactory
import org.slf4j.spi.MDCAdapter
import org.slf4j.spi.SLF4JServiceProvider
import java.io.File
import java.util.Deque
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit

internal const val SCHEMA = """{"type":"object","properties":{"city":{"type":"string"}}}"""

/** Calls the tool `weather` first, then says "sunny". */
internal fun toolCaller() = Scripted("test/tools") { request ->
    val id = ModelId("test", "tools")
    if (request.messages.none { it.role == Role.TOOL }) {
        emit(Delta.Start("r1", id))
        emit(Delta.ToolCallDelta(0, "call-1", "weather", """{"city":"Paris"}"""))
        emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), Usage.of(10, 5)))
    } else {
        says(id, "sunny")
    }
}

/** A binding of SLF4J whose MDC is a plain thread-local: a thread does not inherit it. */
class MdcProvider : SLF4JServiceProvider {
    private val map = ThreadLocal<MutableMap<String, String>?>()
    private val loggers = NOPLoggerFactory()
    private val markers = BasicMarkerFactory()

    override fun getLoggerFactory(): ILoggerFactory = loggers

    override fun getMarkerFactory(): IMarkerFactory = markers

    override fun getRequestedApiVersion(): String = "2.0.99"

    override fun initialize() = Unit

    override fun getMDCAdapter(): MDCAdapter = object : MDCAdapter {
        override fun put(key: String, value: String) {
            (map.get() ?: mutableMapOf<String, String>().also(map::set))[key] = value
        }

        override fun get(key: String): String? = map.get()?.get(key)

        override fun remove(key: String) {
            map.get()?.remove(key)
        }

        override fun clear() = map.remove()

        override fun getCopyOfContextMap(): Map<String, String>? = map.get()?.toMap()

        override fun setContextMap(contextMap: Map<String, String>) = map.set(contextMap.toMutableMap())

        override fun pushByKey(key: String, value: String) = Unit

        override fun popByKey(key: String): String? = null

        override fun getCopyOfDequeByKey(key: String): Deque<String>? = null

        override fun clearDequeByKey(key: String) = Unit
    }
}

/** Prints what is in the MDC where code of the user runs, for a caller that has put something into it, and for the next one, which has not. */
object MdcProgram {
    @JvmStatic
    fun main(args: Array<String>) {
        val seen = CopyOnWriteArrayList<String>()
        fun look(at: String) {
            seen += "$at=${MDC.get("request")}"
        }
        val deltas = Interceptor { request, next ->
            next.stream(request).map {
                delay(2) // goes on on another thread
                look("interceptor")
                it
            }
        }
        val java = Interceptor.of { request, next ->
            look("publisher")
            next.publisher(request)
        }
        client {
            intercept(deltas, Level.CALL)
            intercept(java, Level.ATTEMPT)
        }.use { llm ->
            fun round() {
                seen.clear()
                llm.chat(toolCaller()) {
                    user("weather?")
                    tool("weather", "Current weather", SCHEMA) {
                        look("tool")
                        withContext(Dispatchers.IO) { look("io") }
                        "18"
                    }
                }.get()
                llm.chat(Models.simple { it.also { look("simple") } }, "hi").get()
                llm.map(listOf("a")) { chat(Models.simple { it.also { look("bulk") } }, it) }.get()
                println(seen.toSortedSet().joinToString(" "))
            }
            MDC.put("request", "r-17")
            round()
            println("kept=${MDC.get("request")}")
            MDC.clear()
            round()
        }
    }
}

/** A call with a tool and a function, without SLF4J and OpenTelemetry on the class path. Prints the builder's methods that a notebook's completion reads. */
object WithoutThemProgram {
    @JvmStatic
    fun main(args: Array<String>) {
        client().use { llm ->
            val text = llm.chat(toolCaller()) {
                user("weather?")
                tool("weather", "Current weather", SCHEMA) { "18" }
            }.get().text
            println(text + llm.chat(Models.simple { it.uppercase() }, "hi").get().text)
        }
        println(Llm.builder().javaClass.methods.any { it.name == "telemetry" })
        check(Transport::class.java.classLoader != null)
    }
}

/** Runs the main function of [main] in a JVM of its own, with the jars of the class path that [keeps] takes. @return what it printed */
internal fun runJvm(main: Class<*>, vararg options: String, keeps: (String) -> Boolean = { true }): String {
    val classes = (System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")).split(File.pathSeparator).filter(keeps)
    val java = File(System.getProperty("java.home"), "bin/java").path
    val command = listOf(java, "-XX:TieredStopAtLevel=1") + options + listOf("-cp", classes.joinToString(File.pathSeparator), main.name)
    val process = ProcessBuilder(command).redirectErrorStream(true).start()
    val printed = process.inputStream.bufferedReader().readText()
    check(process.waitFor(1, TimeUnit.MINUTES) && process.exitValue() == 0) { "${main.simpleName} failed: $printed" }
    return printed
}
