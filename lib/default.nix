# Esker's standard library, with nixpkgs' names and behaviour for what module authors use.
#
# Each file is one topic and can be reached as `lib.<topic>`; the names used most stand at the top
# as well. Options, types and modules are bound to the native module system (crates/module).
# What it is not: the package set (pkgs/) or any option (modules/).
let
  fixedPoints = import ./fixed-points.nix { inherit lib; };

  lib = fixedPoints.makeExtensible (
    self:
    let
      call = file: import file { lib = self; };
    in
    {
      trivial = call ./trivial.nix;
      fixedPoints = call ./fixed-points.nix;
      attrsets = call ./attrsets.nix;
      lists = call ./lists.nix;
      strings = call ./strings.nix;
      stringsWithDeps = call ./strings-with-deps.nix;
      versions = call ./versions.nix;
      asserts = call ./asserts.nix;
      debug = call ./debug.nix;
      generators = call ./generators.nix;
      formats = call ./formats.nix;
      cli = call ./cli.nix;
      gvariant = call ./gvariant.nix;
      kernel = call ./kernel.nix;
      fetchers = call ./fetchers.nix;
      network = call ./network.nix;
      customisation = call ./customisation.nix;
      derivations = call ./derivations.nix;
      meta = call ./meta.nix;
      licenses = call ./licenses.nix;
      sourceTypes = call ./source-types.nix;
      maintainers = { };
      teams = { };
      systems = call ./systems;
      platforms = self.systems.doubles;
      sources = call ./sources.nix;
      filesystem = call ./filesystem.nix;
      path = call ./path.nix;
      fileset = call ./fileset.nix;
      # The native module system, which gives modules this very lib.
      native = builtins.__moduleSystem self;
      options = call ./options.nix;
      types = call ./types.nix;
      modules = call ./modules.nix;

      # Builtins under their own names.
      inherit (builtins)
        add
        addErrorContext
        attrNames
        attrValues
        bitAnd
        bitOr
        bitXor
        catAttrs
        ceil
        compareVersions
        concatLists
        concatMap
        concatStringsSep
        deepSeq
        elem
        elemAt
        filter
        floor
        foldl'
        fromJSON
        genList
        genericClosure
        getAttr
        hasAttr
        hasContext
        head
        intersectAttrs
        isAttrs
        isBool
        isFloat
        isInt
        isList
        isPath
        isString
        length
        lessThan
        listToAttrs
        map
        mapAttrs
        match
        parseDrvName
        partition
        pathExists
        readFile
        removeAttrs
        replaceStrings
        seq
        sort
        split
        splitVersion
        storeDir
        stringLength
        sub
        substring
        tail
        toJSON
        trace
        tryEval
        typeOf
        unsafeDiscardStringContext
        unsafeGetAttrPos
        zipAttrsWith
        ;
      inherit (self.trivial)
        id
        const
        pipe
        concat
        "or"
        and
        xor
        bitNot
        boolToString
        boolToYesNo
        mergeAttrs
        flip
        defaultTo
        mapNullable
        inNixShell
        inPureEvalMode
        isInOldestRelease
        min
        max
        mod
        compare
        splitByAndCompare
        version
        importJSON
        importTOML
        info
        showWarnings
        warn
        warnIf
        warnIfNot
        throwIf
        throwIfNot
        checkListOfEnum
        setFunctionArgs
        functionArgs
        isFunction
        mirrorFunctionArgs
        toFunction
        fromHexString
        toHexString
        toBaseDigits
        ;
      inherit (self.fixedPoints)
        fix
        fix'
        converge
        extends
        composeExtensions
        composeManyExtensions
        makeExtensible
        makeExtensibleWithCustomName
        toExtension
        ;
      inherit (self.attrsets)
        attrByPath
        hasAttrByPath
        setAttrByPath
        getAttrFromPath
        updateManyAttrsByPath
        concatMapAttrs
        attrVals
        getAttrs
        filterAttrs
        filterAttrsRecursive
        foldlAttrs
        foldAttrs
        collect
        nameValuePair
        mapAttrs'
        mapAttrsToList
        attrsToList
        mapAttrsRecursive
        mapAttrsRecursiveCond
        mapAttrsToListRecursive
        mapAttrsToListRecursiveCond
        genAttrs
        genAttrs'
        isDerivation
        toDerivation
        optionalAttrs
        zipAttrsWithNames
        zipAttrs
        recursiveUpdateUntil
        recursiveUpdate
        matchAttrs
        mergeAttrsList
        overrideExisting
        showAttrPath
        getOutput
        getFirstOutput
        getBin
        getLib
        getStatic
        getDev
        getInclude
        getMan
        chooseDevOutputs
        recurseIntoAttrs
        dontRecurseIntoAttrs
        cartesianProduct
        cartesianProductOfSets
        mapCartesianProduct
        ;
      inherit (self.lists)
        singleton
        forEach
        foldr
        fold
        foldl
        imap0
        imap1
        ifilter0
        flatten
        remove
        findSingle
        findFirst
        any
        all
        count
        optional
        optionals
        toList
        range
        replicate
        zipListsWith
        zipLists
        reverseList
        listDfs
        toposort
        sortOn
        naturalSort
        compareLists
        take
        takeEnd
        drop
        dropEnd
        sublist
        last
        init
        crossLists
        unique
        uniqueStrings
        allUnique
        intersectLists
        subtractLists
        mutuallyExclusive
        groupBy
        groupBy'
        concatAttrValues
        ;
      inherit (self.strings)
        concatStrings
        concatMapStrings
        concatImapStrings
        stringToCharacters
        stringAsChars
        intersperse
        concatMapStringsSep
        concatImapStringsSep
        concatMapAttrsStringSep
        concatLines
        makeSearchPath
        makeSearchPathOutput
        makeLibraryPath
        makeIncludePath
        makeBinPath
        optionalString
        hasInfix
        hasPrefix
        hasSuffix
        join
        escape
        escapeC
        escapeURL
        escapeShellArg
        escapeShellArgs
        isStorePath
        isStringLike
        isValidPosixName
        toShellVar
        toShellVars
        trim
        trimWith
        escapeRegex
        escapeXML
        escapeNixString
        escapeNixIdentifier
        escapeSystemdExecArg
        escapeSystemdExecArgs
        toLower
        toUpper
        toCamelCase
        toSentenceCase
        addContextFrom
        splitString
        splitStringBy
        removePrefix
        removeSuffix
        versionOlder
        versionAtLeast
        getName
        getVersion
        cmakeOptionType
        cmakeBool
        cmakeFeature
        mesonOption
        mesonBool
        mesonEnable
        nameFromURL
        enableFeature
        enableFeatureAs
        withFeature
        withFeatureAs
        fixedWidthString
        fixedWidthNumber
        floatToString
        toInt
        toIntBase10
        readPathsFromFile
        fileContents
        isConvertibleWithToString
        normalizePath
        ;
      inherit (self.stringsWithDeps)
        textClosureList
        textClosureMap
        noDepEntry
        fullDepEntry
        packEntry
        stringAfter
        ;
      inherit (self.asserts) assertMsg assertOneOf assertEachOneOf checkAssertWarn;
      inherit (self.debug)
        traceIf
        traceVal
        traceValFn
        traceSeq
        traceSeqN
        traceValSeq
        traceValSeqFn
        traceValSeqN
        traceValSeqNFn
        traceFnSeqN
        runTests
        testAllTrue
        ;
      inherit (self.customisation)
        overrideDerivation
        makeOverridable
        callPackageWith
        callPackagesWith
        extendDerivation
        hydraJob
        makeScope
        makeScopeWithSplicing'
        extendMkDerivation
        ;
      inherit (self.derivations) lazyDerivation optionalDrvAttr warnOnInstantiate;
      inherit (self.generators) mkLuaInline;
      inherit (self.meta)
        addMetaAttrs
        dontDistribute
        setName
        updateName
        appendToName
        setPrio
        lowPrio
        lowPrioSet
        hiPrio
        hiPrioSet
        licensesSpdx
        getLicenseFromSpdxId
        getLicenseFromSpdxIdOr
        getExe
        getExe'
        ;
      inherit (self.filesystem) pathType pathIsDirectory pathIsRegularFile packagesFromDirectoryRecursive;
      inherit (self.sources)
        cleanSourceFilter
        cleanSource
        sourceByRegex
        sourceFilesBySuffices
        commitIdFromGitRepo
        cleanSourceWith
        pathHasContext
        canCleanSource
        pathIsGitRepo
        ;
      inherit (self.options)
        isOption
        mkEnableOption
        mkSinkUndeclaredOptions
        mergeDefaultOption
        mergeOneOption
        mergeEqualOption
        mergeUniqueOption
        getValues
        getFiles
        optionAttrSetToDocList
        optionAttrSetToDocList'
        scrubOptionValue
        literalExpression
        literalExample
        literalMD
        showOption
        showOptionWithDefLocs
        showFiles
        unknownModule
        mkOption
        mkPackageOption
        mkPackageOptionMD
        mdDoc
        ;
      inherit (self.types)
        isType
        setType
        defaultTypeMerge
        defaultFunctor
        isOptionType
        mkOptionType
        ;
      inherit (self.modules)
        evalModules
        setDefaultModuleLocation
        unifyModuleSyntax
        applyModuleArgsIfFunction
        mergeModules
        mergeModules'
        mergeOptionDecls
        mergeDefinitions
        pushDownProperties
        dischargeProperties
        filterOverrides
        sortProperties
        fixupOptionType
        mkIf
        mkAssert
        mkDefinition
        mkMerge
        mkOverride
        mkOptionDefault
        mkDefault
        mkImageMediaOverride
        mkForce
        mkVMOverride
        mkFixStrictness
        mkOrder
        mkBefore
        mkAfter
        mkAliasDefinitions
        mkAliasAndWrapDefinitions
        fixMergeModules
        mkRemovedOptionModule
        mkRenamedOptionModule
        mkRenamedOptionModuleWith
        mkMergedOptionModule
        mkChangedOptionModule
        mkAliasOptionModule
        mkAliasOptionModuleMD
        mkDerivedConfig
        doRename
        defaultOverridePriority
        defaultOrderPriority
        importApply
        ;
    }
  );
in
lib
