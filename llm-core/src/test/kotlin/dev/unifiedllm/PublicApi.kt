package dev.unifiedllm

import io.kotest.assertions.withClue
import io.kotest.matchers.shouldBe
import org.jetbrains.kotlin.abi.tools.AbiFilters
import org.jetbrains.kotlin.abi.tools.AbiTools
import java.io.File

/** What the module in the working directory offers to the world; what is for our own modules only is not in it. */
fun publicApi(): String {
    val classes = File("target/classes").walk().filter { it.extension == "class" }.sorted().asIterable()
    val filters = AbiFilters(emptySet(), emptySet(), emptySet(), setOf("dev.unifiedllm.InternalLlmApi"))
    return buildString { AbiTools.getInstance(AbiTools::class.java.classLoader).printJvmDump(this, classes, filters) }
}

/**
 * Compares [publicApi] with `api/<module>.api`; a change is made there by `-Dapi.update=true` and belongs into the same commit.
 */
fun checkPublicApi(module: String) {
    val api = publicApi()
    val file = File("api/$module.api")
    if (System.getProperty("api.update") == "true") {
        file.parentFile.mkdirs()
        file.writeText(api)
    }
    check(file.exists()) { "$file is missing: make it by -Dapi.update=true" }
    withClue("A class that is gone from the sources may still stand in target/classes: mvn clean. Else -Dapi.update=true.") { api shouldBe file.readText() }
}
