package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeIn
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.ints.shouldBeGreaterThan
import java.lang.reflect.Executable
import java.lang.reflect.Member
import java.lang.reflect.Method
import java.lang.reflect.Modifier

/** Types that a Java user should never meet in a signature. */
private val foreign = listOf("kotlin.coroutines.", "kotlin.jvm.functions.", "kotlin.time.", "kotlin.ranges.", "kotlin.Pair", "kotlin.Unit", "kotlin.sequences.")

class JavaApiSpec : FunSpec({
    val classes = publicApi().lines().mapNotNull { Regex("""^public .*(?:class|interface) ([\w/$]+)""").find(it)?.groupValues?.get(1) }
        .map { Class.forName(it.replace('/', '.')) }

    fun Executable.isForJava() = !isSynthetic && (Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers))

    fun ours(type: Class<*>): List<Executable> = (type.declaredMethods.toList<Executable>() + type.declaredConstructors).filter { it.isForJava() }

    fun mentioned(executable: Executable): String = executable.toGenericString()

    test("there is something to look at") {
        classes.map { it.simpleName } shouldContain "Llm"
        classes.sumOf { ours(it).size } shouldBeGreaterThan 300
    }

    test("no public member needs Kotlin's functions, coroutines or durations") {
        classes.flatMap(::ours).map(::mentioned).filter { signature -> foreign.any { it in signature } }.shouldBeEmpty()
    }

    test("no public member has a name that Java cannot write") {
        classes.flatMap(::ours).filter { '-' in it.name }.map(::mentioned).shouldBeEmpty()
    }

    test("accessors read as those of a record, getId of a model excepted; what takes arguments is no accessor") {
        classes.flatMap(::ours).filter {
            it is Method && Regex("(get|set)[A-Z].*").matches(it.name) && !Modifier.isStatic(it.modifiers) &&
                (it.parameterCount == 0 || it.name.startsWith("set"))
        }
            .filterNot { it.name == "getId" || it.declaringClass.isEnum || it.name == "getSize" || it.declaringClass.simpleName == "Companion" }
            .map(::mentioned).shouldBeEmpty()
    }

    test("no internal member shows in Java's completion: what is internal is synthetic") {
        val shown = classes.flatMap { type ->
            val members = type.declaredMethods.toList<Member>() + type.declaredConstructors + type.declaredFields
            members.filter { !it.isSynthetic && (Modifier.isPublic(it.modifiers) || Modifier.isProtected(it.modifiers)) }
        }
        shown.filter { "\$llm_core" in it.name }.map { "${it.declaringClass.name}.${it.name}" }.shouldBeEmpty()
        val visible = classes.map { it.name }.toSet()
        val hidden = shown.filterIsInstance<Executable>().filter { member ->
            member.parameterTypes.any { it.name.startsWith("dev.unifiedllm.") && it.name !in visible }
        }
        hidden.map { it.toGenericString() }.shouldBeEmpty()
    }

    test("a Companion is seen only where Kotlin's users call one") {
        val companions = classes.filter { type ->
            type.fields.any { it.name == "Companion" && it.declaringClass == type }
        }.map { it.name.substringAfterLast('.') }
        for (name in companions) name shouldBeIn KNOWN_COMPANIONS
    }
})

/** A companion's field cannot be hidden from Java: these have functions for Kotlin in it, or (the last ones) functions of our own. */
private val KNOWN_COMPANIONS = listOf(
    "Llm", "Model", "Interceptor", "ChatRequest", "CallContext", "ApiKey", "Message", "ModelId", "Tool", "Usage", "Usd", "FinishReason",
    "LlmException", "LlmException\$Details", "Price", "ResponseFormat", "ChatResponse", "EmbeddingRequest", "EmbeddingResponse", "ImageRequest",
    "ImageResponse", "GeneratedImage", "Conversation", "GenAiTelemetry",
)
