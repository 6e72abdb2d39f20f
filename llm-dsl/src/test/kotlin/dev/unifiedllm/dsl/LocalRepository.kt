package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.e2e.projectFolder
import kotlinx.coroutines.flow.Flow
import java.nio.file.Files
import java.nio.file.Path
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.io.path.copyTo
import kotlin.io.path.createDirectories
import kotlin.io.path.createSymbolicLinkPointingTo
import kotlin.io.path.inputStream
import kotlin.io.path.isDirectory
import kotlin.io.path.isRegularFile
import kotlin.io.path.listDirectoryEntries
import kotlin.io.path.name
import kotlin.io.path.outputStream
import kotlin.io.path.readText
import kotlin.io.path.relativeTo

/** Where the class [type] was loaded from: a jar, or the folder of a module that is not packaged yet. */
private fun source(type: Class<*>): Path = Path.of(type.protectionDomain.codeSource.location.toURI())

/** The Maven repository of this machine, from which the class path of the tests comes. */
internal val localRepository: Path = source(Flow::class.java).let { jar ->
    generateSequence(jar.parent) { it.parent }.first { it.resolve("org/jetbrains/kotlinx").isDirectory() }
}

/** The version in the parent's pom. */
internal val libraryVersion: String = Regex("<version>(.*?)</version>").find(projectFolder.resolve("pom.xml").readText())!!.groupValues[1]

/**
 * Makes [folder] a Maven repository that has the library as `mvn install` writes it, and links to everything else in [localRepository]. Delete it by
 * `Path.deleteRecursively`: that of `File` and the `tempdir` of Kotest follow links.
 */
internal fun installLibrary(folder: Path) {
    link(localRepository, folder, "dev")
    if (localRepository.resolve("dev").isDirectory()) link(localRepository.resolve("dev"), folder.resolve("dev"), "unifiedllm")
    install(folder, "unified-llm", projectFolder, null)
    install(folder, "llm-core", projectFolder.resolve("llm-core"), source(Llm::class.java))
    install(folder, "llm-dsl", projectFolder.resolve("llm-dsl"), source(Class.forName("dev.unifiedllm.dsl.ChatKt")))
}

private fun link(from: Path, to: Path, butFor: String) {
    to.createDirectories()
    for (entry in from.listDirectoryEntries().filter { it.name != butFor }) to.resolve(entry.name).createSymbolicLinkPointingTo(entry)
}

/** @param classes a jar or a folder; null for a module with a pom alone */
private fun install(repository: Path, module: String, sources: Path, classes: Path?) {
    val folder = repository.resolve("dev/unifiedllm/$module/$libraryVersion").createDirectories()
    val base = "$module-$libraryVersion"
    sources.resolve("pom.xml").copyTo(folder.resolve("$base.pom"))
    val jar = folder.resolve("$base.jar")
    when {
        classes == null -> Unit
        classes.isRegularFile() -> classes.copyTo(jar)
        else -> pack(classes, jar)
    }
}

private fun pack(folder: Path, jar: Path) = ZipOutputStream(jar.outputStream()).use { zip ->
    for (file in Files.walk(folder).use { files -> files.filter { it.isRegularFile() }.toList() }) {
        zip.putNextEntry(ZipEntry(file.relativeTo(folder).joinToString("/")))
        file.inputStream().use { it.copyTo(zip) }
        zip.closeEntry()
    }
}
